package testsuite

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// mostFuzzed bounds how many failing random requests become cases: those of one cause are
// alike.
const mostFuzzed = 200

// fuzz sends random requests after the cases, under the same limits. What breaks a stated rule
// becomes a case; the rest is counted and forgotten, so that their number takes no memory, and
// what can be disputed is left to the cases, which change one thing at a time.
func (r *run) fuzz(ctx context.Context) {
	var next atomic.Uint64
	var workers sync.WaitGroup
	for range r.limits.Parallel {
		workers.Go(func() {
			for i := next.Add(1); i <= r.fuzzes() && !r.stopped() && ctx.Err() == nil; i = next.Add(1) {
				r.fuzzOne(ctx, i-1)
			}
		})
	}
	workers.Wait()
}

// fuzzes is how many random requests are made.
func (r *run) fuzzes() uint64 {
	if r.only != "" {
		return 0
	}
	return uint64(r.config.Fuzz)
}

// fuzzCase is the case of random request number i.
func (r *run) fuzzCase(i uint64) Case {
	made := r.suite.generator.Fuzz(i)
	return r.suite.caseOf(&made)
}

// skipFuzz is why a random request is not sent; empty if it is.
func (r *run) skipFuzz(ctx context.Context, e *exchange) string {
	if why := r.skip(ctx, e); why != "" {
		return why
	}
	if e.mayWrite && !r.keepsIDs(e) {
		return "it may be accepted and has another id than those of --set and --data"
	}
	return ""
}

// fuzzOne sends one random request, unless what it may do is not allowed.
func (r *run) fuzzOne(ctx context.Context, i uint64) {
	x := r.fuzzCase(i)
	e := r.exchangeOf(&x)
	if r.skipFuzz(ctx, e) != "" {
		r.progress()
		return
	}
	r.one(ctx, e)
	if e.response == nil {
		return
	}
	control := r.controls[x.Media]
	result := r.result(x, e, control != nil && control.accepted())
	failed := result.Verdict == VerdictFail && result.Level == fixtures.LevelMust
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fuzzed++
	if failed && r.keptFuzzed < mostFuzzed {
		r.keptFuzzed++
		e.cases = []*Case{&x}
		r.cases, r.units = append(r.cases, x), append(r.units, e)
	}
}

// keepsIDs reports a request that has one of the real ids in each field that is fixed to some:
// the target knows no other.
func (r *run) keepsIDs(e *exchange) bool {
	if !r.suite.payloads.fixes() {
		return true
	}
	values, ok := valuesOf(e)
	if !ok {
		return false
	}
	for _, f := range r.suite.operation.Model().Fields {
		known := r.suite.payloads.fixedTo(f.Name)
		if f.Type.Kind != contracts.KindGUID || len(known) == 0 {
			continue
		}
		for _, value := range values[strings.ToLower(f.Name)] {
			if !slices.ContainsFunc(known, func(id string) bool { return strings.EqualFold(id, value) }) {
				return false
			}
		}
	}
	return true
}

// valuesOf are the texts of a body by name in lower case; ok is false for one that cannot be read.
func valuesOf(e *exchange) (values map[string][]string, ok bool) {
	values = map[string][]string{}
	if e.media == contracts.MediaForm {
		form, err := url.ParseQuery(string(e.request.Body))
		for name, list := range form {
			values[strings.ToLower(name)] = append(values[strings.ToLower(name)], list...)
		}
		return values, err == nil
	}
	d := json.NewDecoder(bytes.NewReader(e.request.Body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, err := d.Token()
		key, _ := name.(string)
		var value any
		if err != nil || d.Decode(&value) != nil {
			return nil, false
		}
		text, _ := value.(string)
		values[strings.ToLower(key)] = append(values[strings.ToLower(key)], text)
	}
	return values, true
}
