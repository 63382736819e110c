// Tests of a page in Chromium: node --test playwright.test.mjs, while a mock listens at MOCK and
// the page is served at PAGE, and at SECURE_PAGE over https.
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, test} from 'node:test';
import {chromium} from 'playwright-core';
import {Mock} from './mock.mjs';

const url = process.env.MOCK ?? 'http://127.0.0.1:4747';
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--no-first-run', '--disable-gpu', '--disable-quic'],
  });
});
after(() => browser.close());

// open shows the page to a new visitor, with a session of its own.
async function open(page = process.env.PAGE, query = {}) {
  const mock = new Mock(url, randomUUID());
  const context = await browser.newContext({ignoreHTTPSErrors: true});
  const tab = await context.newPage();
  await tab.goto(`${page}?${new URLSearchParams({api: url, session: mock.session, ...query})}`);
  return {mock, tab, context};
}

// submit fills in a form and sends it; it returns the result and the message beside each field.
async function submit(tab, form, fields) {
  for (const [name, value] of Object.entries(fields)) await tab.fill(`#${form} [name=${name}]`, value);
  await tab.click(`#${form} button`);
  await tab.waitForFunction((id) => document.querySelector(`#${id} .result`).textContent !== '', form);
  return tab.$eval(`#${form}`, (f) => ({
    result: f.querySelector('.result').textContent,
    messages: Object.fromEntries([...f.elements].filter((e) => e.name)
      .map((e) => [e.name, e.parentElement.querySelector('output').textContent])),
  }));
}

const forms = [
  ['book', {Reason: ''}, {Reason: 'The Reason field is required.'}, 'Reason/required', {Reason: 'Check-up'}],
  ['second-date', {SecondaryAppointmentOn: 'tomorrow'}, {SecondaryAppointmentOn: 'An error has occurred.'},
    'SecondaryAppointmentOn/type', {SecondaryAppointmentOn: '2026-02-04T10:00:00Z'}],
  ['pay', {PaidAmount: '"much"'}, {PaidAmount: 'An error has occurred.'}, 'PaidAmount/type', {PaidAmount: '25.5'}],
  ['note', {Note: 'x'.repeat(1001)},
    {Note: 'The field Note must be a string with a maximum length of 1000.'}, 'Note/length', {Note: 'Bring the X-rays.'}],
  ['reasons', {Reasons: '[{"ReasonId": "none"}]'}, {Reasons: 'An error has occurred.'}, null,
    {Reasons: '[{"ReasonId": "7b0d7dbd-2e54-48b9-a80d-fb468fda994e"}]'}],
];

for (const [form, wrong, messages, rule, right] of forms) {
  test(`the form "${form}" shows what is wrong, and books what is right`, async () => {
    const {mock, tab, context} = await open();
    const rejected = await submit(tab, form, wrong);
    assert.equal(rejected.result, '400: The request is invalid.');
    for (const [name, text] of Object.entries(messages)) assert.equal(rejected.messages[name], text);
    const found = await mock.requests(rule ? {rule} : {outcome: 'rejected'});
    assert.equal(found.length, 1);
    // The browser's question whether it may send JSON is part of the request.
    assert.notEqual(found[0].preflight, undefined);
    assert.equal((await submit(tab, form, right)).result, 'Booked');
    const [accepted] = await mock.requests({outcome: 'accepted'});
    assert.equal(accepted.request.headers.Origin, new URL(process.env.PAGE).origin);
    assert.equal((await mock.requests()).length, 2);
    await context.close();
  });
}

test('a page over https may call the mock on this machine', async () => {
  const {tab, context} = await open(process.env.SECURE_PAGE);
  assert.equal((await submit(tab, 'book', {})).result, 'Booked');
  await context.close();
});

test('the page sees the status, and headers of a wrong method', async () => {
  const {tab, context} = await open();
  const seen = await tab.evaluate(async (api) => {
    const response = await fetch(api, {method: 'DELETE', credentials: 'include'});
    return [response.status, response.headers.get('Allow'), (await response.json()).Message];
  }, `${url}/api/Calendar/PatientAppointmentPost_v2`);
  assert.deepEqual(seen, [405, 'POST', "The requested resource does not support http method 'DELETE'."]);
  await context.close();
});

test('a server that is down, busy or slow is what the page sees', async () => {
  const down = await open(process.env.PAGE, {prefer: 'fault=connection-reset'});
  assert.equal((await submit(down.tab, 'book', {})).result, 'No response: TypeError');
  await down.context.close();
  const busy = await open(process.env.PAGE, {prefer: 'code=503'});
  assert.equal((await submit(busy.tab, 'book', {})).result, '503: Service Unavailable.');
  await busy.context.close();
  const {mock, tab, context} = await open();
  await mock.next({status: 409, json: {Message: 'The slot is taken.'}, delay: '50ms'});
  assert.equal((await submit(tab, 'book', {})).result, '409: The slot is taken.');
  await mock.next({status: 502, text: 'Bad Gateway', cors: false});
  assert.equal((await submit(tab, 'book', {})).result, 'No response: TypeError', 'as from a dead proxy');
  await context.close();
});

test('who looks at the mock with a browser is led to its page', async () => {
  const context = await browser.newContext();
  const tab = await context.newPage();
  await tab.goto(`${url}/`);
  assert.equal(await tab.title(), 'Understudy');
  assert.equal(new URL(tab.url()).pathname, '/__admin/');
  if (process.env.SCREENSHOT) await tab.screenshot({path: process.env.SCREENSHOT, fullPage: true});
  await context.close();
});

test('a page of another origin cannot use the admin API', async () => {
  const {tab, context} = await open();
  const seen = await tab.evaluate(async (admin) => {
    try {
      return (await fetch(admin)).status;
    } catch (error) {
      return error.name;
    }
  }, `${url}/__admin/requests`);
  assert.equal(seen, 'TypeError');
  await context.close();
});
