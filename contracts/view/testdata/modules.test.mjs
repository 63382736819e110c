// Tests of the modules that need no page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { find, locate, pretty } from "../body.js";
import { parse } from "../filter.js";
import { oneLine, segments } from "../text.js";
import { messagesOf, rejectionOf } from "../violations.js";

const at = (text, pointer, type) => {
  const place = find(locate(text, type).places, pointer);
  return place && text.slice(...place.value);
};

test("a value is found by its pointer, whatever the case of its names", () => {
  const text = '{"a": [1, {"B/c": "x\\"y"}], "d": null, "a~b": -1.50e3}';
  assert.equal(at(text, "/a/0"), "1");
  assert.equal(at(text, "/A/1/b~1c"), '"x\\"y"');
  assert.equal(at(text, "/d"), "null");
  assert.equal(at(text, "/a~0b"), "-1.50e3");
  assert.equal(at(text, "/a"), '[1, {"B/c": "x\\"y"}]');
  assert.equal(at(text, "/nothing"), undefined);
  assert.equal(at('{"a":1,"A":2}', "/a"), "2", "the last one counts");
});

test("what is not JSON is read as far as it goes", () => {
  for (const text of ["", "{", "[", '{"a', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1 "b":2}', "{'a':1}", '{"a":1}}', "[1,]", "nul", "{]", "\ufeff"]) {
    const { places, whole } = locate(text);
    assert.equal(whole, false, text);
    for (const place of places) assert.ok(place.value[0] <= place.value[1] && place.value[1] <= text.length, text);
  }
  assert.equal(at('{"a":1,"b":', "/a"), "1");
  const deep = "[".repeat(100_000);
  assert.ok(locate(deep).places.length < 100_000);
});

test("a form is read pair by pair, on one line or several", () => {
  const type = "application/x-www-form-urlencoded; charset=utf-8";
  for (const text of ["Reason=a+b&Reasons[0].ReasonId=7&x", "Reason=a+b\n&Reasons[0].ReasonId=7\n&x"]) {
    assert.equal(at(text, "/Reason", type), "a+b");
    assert.equal(at(text, "/Reasons/0/ReasonId", type), "7");
    assert.equal(at(text, "/x", type), "");
  }
});

test("JSON gets its lines, and every value stays as it was written", () => {
  assert.equal(pretty('{"a":1.0,"b":["x,:{}\\"",{}],"c":[]}'), '{\n  "a": 1.0,\n  "b": [\n    "x,:{}\\"",\n    {}\n  ],\n  "c": []\n}');
  assert.equal(pretty("not json"), null);
  assert.equal(pretty("{\n}"), null);
  for (const text of ['{"a":[{"b":[]},1,"2"],"c":{"d":null}}', '[[[1]],"\\u0041"]']) {
    assert.deepEqual(JSON.parse(pretty(text)), JSON.parse(text));
  }
});

test("a filter has words, keys, quotes and minuses", () => {
  const row = { status: "400", rule: "Reason/length", text: "POST /x Reason: 251 of 250 characters" };
  const of = (key) => row[key];
  for (const [filter, expected] of [
    ["status:400", true], ["status:4xx", true], ["status:5xx", false], ["status:4", true], ["-status:400", false],
    ["rule:reason", true], ["rule:Note", false], ["reason 251", true], ['"251 of 250"', true], ['"250 of 251"', false],
    ["-nothing", true], ["nobody:x", false], ["-nobody:x", true], ["reason:", true], ["status:400 rule:Reason /x", true], ['"', undefined], ["  ", undefined],
  ]) {
    assert.equal(parse(filter)?.(of), expected, filter);
  }
});

test("no letter of a request acts on its neighbours", () => {
  assert.deepEqual(segments("a\u202eb\u0000\u{e0041}c"), ["a", { code: "U+202E" }, "b", { code: "U+0000" }, { code: "U+E0041" }, "c"]);
  assert.equal(oneLine("a\n\tb\u200b", 80), "a b⟨U+200B⟩");
  assert.equal(oneLine("x".repeat(100), 10), "xxxxxxxxx…");
  assert.deepEqual(segments("\ud800"), [{ code: "U+D800" }]);
});

test("the messages of a rejection are those of the field, or of the whole body", () => {
  const messages = rejectionOf('{"ModelState":{"model.Reason":["too long"],"model.Reasons[0].ReasonId":["bad"],"model":["An error","An error"]}}');
  const texts = (pointer) => messagesOf(messages, pointer).map((m) => m.text);
  assert.deepEqual(texts("/Reason"), ["too long"]);
  assert.deepEqual(texts("/Reasons/0/ReasonId"), ["bad"]);
  assert.deepEqual(texts("/AccountId"), ["An error"]);
  assert.deepEqual(texts(""), ["An error"]);
  assert.equal(rejectionOf("<html>"), null);
  assert.equal(rejectionOf('{"ModelState":7}'), null);
  assert.deepEqual(messagesOf(null, "/Reason"), []);
});
