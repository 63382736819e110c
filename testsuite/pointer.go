package testsuite

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// maxParsed is the longest body in bytes that is taken apart: what marks a
// rejection, and why, is short.
const maxParsed = 256 << 10

// valueAt is what a JSON pointer (RFC 6901) leads to in JSON, as text; empty
// if it leads nowhere. Of a duplicate name the last one counts.
func valueAt(body []byte, pointer string) string {
	if pointer == "" || len(body) > maxParsed || !json.Valid(body) {
		return ""
	}
	value := json.RawMessage(body)
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		if value = memberOf(value, strings.NewReplacer("~1", "/", "~0", "~").Replace(step)); value == nil {
			return ""
		}
	}
	var text string
	switch {
	case json.Unmarshal(value, &text) == nil:
		return text // null leaves it empty
	case len(value) > longestID:
		value = value[:longestID]
	}
	return string(value)
}

// memberOf finds a member of an object, or an element of an array, without taking
// the rest of it apart: a hostile body has a million. The text is valid JSON.
func memberOf(text json.RawMessage, step string) (found json.RawMessage) {
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	if _, err := strconv.Atoi(step); err != nil && open == json.Delim('[') {
		return nil
	}
	var value json.RawMessage
	for i := 0; d.More(); i++ {
		name := strconv.Itoa(i)
		if open == json.Delim('{') {
			key, err := d.Token()
			if err != nil {
				return nil
			}
			name, _ = key.(string) // a key is one
		}
		if d.Decode(&value) != nil {
			return nil
		}
		if name == step {
			found = bytes.Clone(value)
		}
	}
	return found
}
