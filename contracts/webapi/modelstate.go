package webapi

import (
	"bytes"
	"hash/maphash"
	"slices"
	"unicode/utf8"
)

// modelState is ModelStateDictionary: errors by key, in the order the keys were
// first used. Keys differ in more than case. A hostile body makes half a million
// errors, each with a key of its own, so that what is kept of one is small.
type modelState struct {
	entries []stateEntry
	errors  []stateError
	keys    []byte  // of the entries, one after another
	index   []int32 // open addressing: an entry's number and one, by its hash; once there are many
	folded  []byte  // scratch
	failed  bool
	left    int  // bytes that errors may still take
	full    bool // one had no room
}

// stateEntry is a key; it may have no error.
type stateEntry struct {
	at          int // of the key in keys
	size        int32
	hash        uint32
	first, last int32 // of its errors, -1 if there is none
}

// stateError is a message, or an exception whose text only detail shows.
type stateError struct {
	text      string
	next      int32 // of the same key, -1 for the last
	exception bool
}

func (s *modelState) reset(room int) {
	s.entries, s.errors, s.keys, s.index = s.entries[:0], s.errors[:0], s.keys[:0], nil
	s.failed, s.left, s.full = false, room, false
}

// small reports that the memory is worth keeping for the next request.
func (s *modelState) small() bool {
	return cap(s.entries) <= 1024 && cap(s.errors) <= 1024 && cap(s.keys) <= 1<<16
}

// manyKeys is where an index becomes cheaper than comparing every key.
const manyKeys = 16

var keySeed = maphash.MakeSeed()

// hashKey hashes a key without regard to case. Letters outside ASCII do not count.
func (s *modelState) hashKey(key []byte) uint32 {
	s.folded = s.folded[:0]
	for _, c := range key {
		if c < utf8.RuneSelf {
			s.folded = append(s.folded, lowerASCII(c))
		}
	}
	return uint32(maphash.Bytes(keySeed, s.folded))
}

func (s *modelState) key(i int) []byte {
	e := &s.entries[i]
	return s.keys[e.at : e.at+int(e.size)]
}

// find is the number of a key's entry, -1 if it has none.
func (s *modelState) find(key []byte) int {
	if s.index == nil {
		for i := range s.entries {
			if s.is(i, key) {
				return i
			}
		}
		return -1
	}
	hash := s.hashKey(key)
	mask := uint32(len(s.index) - 1)
	for slot := hash & mask; s.index[slot] != 0; slot = (slot + 1) & mask {
		if i := int(s.index[slot]) - 1; s.entries[i].hash == hash && s.is(i, key) {
			return i
		}
	}
	return -1
}

func (s *modelState) is(i int, key []byte) bool {
	return int(s.entries[i].size) == len(key) && bytes.EqualFold(s.key(i), key)
}

// entry finds or makes the entry of a key.
func (s *modelState) entry(key []byte) int {
	if i := s.find(key); i >= 0 {
		return i
	}
	n := len(s.entries)
	s.entries = append(doubled(s.entries, 1), stateEntry{
		at: len(s.keys), size: int32(len(key)), hash: s.hashKey(key), first: -1, last: -1,
	})
	s.keys = append(doubled(s.keys, len(key)), key...)
	switch {
	case n < manyKeys:
	case 2*n >= len(s.index): // half full, or not made yet
		s.index = make([]int32, max(4*manyKeys, 2*len(s.index)))
		for i := range s.entries {
			s.put(i)
		}
	default:
		s.put(n)
	}
	return n
}

func (s *modelState) put(i int) {
	mask := uint32(len(s.index) - 1)
	slot := s.entries[i].hash & mask
	for s.index[slot] != 0 {
		slot = (slot + 1) & mask
	}
	s.index[slot] = int32(i + 1)
}

func (s *modelState) message(key []byte, text string) { s.add(s.entry(key), text, false) }

func (s *modelState) exception(key []byte, text string) { s.add(s.entry(key), text, true) }

// doubled has room for n more: append alone grows a long slice by a quarter, and
// leaves garbage of four times its length.
func doubled[T any](s []T, n int) []T {
	if len(s)+n <= cap(s) {
		return s
	}
	return slices.Grow(s, max(len(s), n))
}

// add adds an error to an entry.
func (s *modelState) add(i int, text string, exception bool) {
	s.failed = true
	if s.left -= len(text) + int(s.entries[i].size); s.left < 0 {
		s.full = true
		return
	}
	n := int32(len(s.errors))
	s.errors = append(doubled(s.errors, 1), stateError{text: text, next: -1, exception: exception})
	e := &s.entries[i]
	if e.first < 0 {
		e.first = n
	} else {
		s.errors[e.last].next = n
	}
	e.last = n
}

// valid reports whether a field of a simple type, under which no key lies, has no
// error.
func (s *modelState) valid(key string) bool {
	i := s.find([]byte(key))
	return i < 0 || s.entries[i].first < 0
}

// append writes the response of BadRequest(ModelState).
func (s *modelState) append(out []byte, detail bool) []byte {
	out = slices.Grow(out, s.room(detail))
	out = appendPair(append(out, '{'), "Message", InvalidRequest)
	out = append(out, `,"ModelState":{`...)
	first := true
	for i := range s.entries {
		e := &s.entries[i]
		if e.first < 0 {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, '"')
		out = appendEscaped(out, s.key(i), '"')
		out = append(out, `":[`...)
		for at := e.first; at >= 0; at = s.errors[at].next {
			if at != e.first {
				out = append(out, ',')
			}
			out = s.errors[at].append(out, detail)
		}
		out = append(out, ']')
	}
	return append(out, "}}"...)
}

// room is about the length of the response, so that its memory is taken once.
func (s *modelState) room(detail bool) int {
	n := 64 + len(s.keys) + 6*len(s.entries)
	for i := range s.errors {
		n += 3 + len(s.errors[i].shown(detail))
	}
	return n
}

func (err *stateError) shown(detail bool) string {
	if err.exception && !detail || err.text == "" {
		return ErrorOccurred
	}
	return err.text
}

func (err *stateError) append(out []byte, detail bool) []byte {
	return append(appendEscapedString(append(out, '"'), err.shown(detail)), '"')
}
