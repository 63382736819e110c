package testsuite

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// Match reports whether a pattern fits an id. In a pattern * stands for any text,
// slashes too, and ? for one character; a pattern without either also fits what
// lies under it: UserId fits UserId/missing. Case does not matter.
func Match(pattern, id string) bool {
	pattern, id = strings.ToLower(pattern), strings.ToLower(id)
	return glob(pattern, id) || !strings.ContainsAny(pattern, "*?") && strings.HasPrefix(id, strings.TrimSuffix(pattern, "/")+"/")
}

// glob goes back to the last * only, so that its time is bounded by the product
// of the lengths.
func glob(pattern, s string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// choose keeps the cases that a Config asks for.
func (p *prepared) choose(c *Config) error {
	if c.Only != "" {
		at := slices.IndexFunc(p.all, func(x Case) bool { return strings.EqualFold(x.ID, c.Only) })
		if at < 0 {
			return fmt.Errorf("no case has the id %q; the nearest is %q", c.Only, p.nearest(c.Only))
		}
		for _, x := range p.all {
			if x.Sends == p.all[at].Sends {
				p.cases = append(p.cases, x)
			}
		}
		return nil
	}
	for _, list := range [][]string{c.Run, c.Skip} {
		for _, pattern := range list {
			if !slices.ContainsFunc(p.all, func(x Case) bool { return Match(pattern, x.ID) }) {
				return fmt.Errorf("no case has an id like %q; the nearest is %q", pattern, p.nearest(pattern))
			}
		}
	}
	for _, m := range c.Media {
		if !slices.ContainsFunc(p.contract.RequestFormats, func(f contracts.Format) bool { return strings.EqualFold(f.MediaType, m) }) {
			return fmt.Errorf("the page lists no request format %q", m)
		}
	}
	for _, name := range c.Fields {
		if !slices.ContainsFunc(p.all, func(x Case) bool { return isField(&x, name) }) {
			return fmt.Errorf("no case is about a member %q of the page", name)
		}
	}
	one := func(list []string, fits func(string) bool) bool {
		return len(list) == 0 || slices.ContainsFunc(list, fits)
	}
	for _, x := range p.all {
		switch {
		case x.Level.weight() < c.Level.weight(),
			!one(c.Run, func(pattern string) bool { return Match(pattern, x.ID) }),
			len(c.Skip) > 0 && slices.ContainsFunc(c.Skip, func(pattern string) bool { return Match(pattern, x.ID) }),
			!one(c.Fields, func(name string) bool { return isField(&x, name) }),
			!one(c.Media, func(m string) bool { return strings.EqualFold(m, x.Media) }),
			hash(x.Sends)%uint64(c.Shard.N) != uint64(c.Shard.I-1):
		default:
			p.cases = append(p.cases, x)
		}
	}
	// A shard of a small choice may be empty, which is no one's mistake.
	if len(p.cases) == 0 && c.Shard.N == 1 {
		return fmt.Errorf("no case fits all of what was chosen: leave out one of run, skip, level, field and media")
	}
	return nil
}

// isField reports that a case is about a member, or one of its elements' members.
func isField(x *Case, name string) bool {
	return strings.EqualFold(x.Field, name) || len(x.Field) > len(name) && x.Field[len(name)] == '/' && strings.EqualFold(x.Field[:len(name)], name)
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // a hash does not fail
	return h.Sum64()
}

// nearest is the id that is most like a pattern.
func (p *prepared) nearest(pattern string) string {
	var ids []string
	for i := range p.all {
		ids = append(ids, p.all[i].ID)
	}
	return Nearest(pattern, ids)
}

// Nearest is the candidate with the smallest edit distance to a text or a pattern,
// whose wildcards do not count; the first of equals.
func Nearest(text string, candidates []string) string {
	want := strings.ToLower(strings.NewReplacer("*", "", "?", "").Replace(text))
	best, least := "", -1
	for _, x := range candidates {
		if d := distance(want, strings.ToLower(x)); least < 0 || d < least {
			best, least = x, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
