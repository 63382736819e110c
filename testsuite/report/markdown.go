package report

import (
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// markdown is for a pull request or the summary of a step: a page, not a log.
func markdown(r *results) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s of %s\n\n", mdText(r.Conclusion), mdCode(r.Endpoint), mdCode(r.Target))
	columns := usedVerdicts(r)
	b.WriteString("| level |")
	for _, v := range columns {
		fmt.Fprintf(&b, " %s |", v)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(columns)) + "\n")
	for _, l := range levels {
		fmt.Fprintf(&b, "| %s |", l)
		for _, v := range columns {
			fmt.Fprintf(&b, " %d |", r.Count(l, v))
		}
		b.WriteByte('\n')
	}
	for _, section := range r.sections() {
		fmt.Fprintf(&b, "\n### %s\n\n| problem | cases | example | page | got |\n|---|---:|---|---|---|\n",
			mdText(section.Title()))
		for _, f := range section.Findings {
			page, got := "-", ""
			if x := r.example(f); x != nil {
				got = x.Got
				if x.Line > 0 {
					page = fmt.Sprintf("line %d: %s", x.Line, x.Quote)
				}
			}
			title := f.Title
			if f.Hint != "" {
				title += "; " + f.Hint
			}
			if x := r.example(f); x != nil && f.Level != fixtures.LevelMust {
				title += "; " + x.LevelBasis
			}
			fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", mdText(title), len(f.Cases), mdCode(f.Example),
				mdText(page), mdCode(got))
		}
	}
	b.WriteString(reproduce(r))
	for _, v := range []testsuite.Verdict{testsuite.VerdictInconclusive, testsuite.VerdictFlaky,
		testsuite.VerdictError, testsuite.VerdictKnownFailure,
		testsuite.VerdictUnexpectedPass, testsuite.VerdictSkipped} {
		var lines []string
		for _, l := range levels[:2] {
			for _, g := range byReason(r, l, v) {
				lines = append(
					lines,
					fmt.Sprintf("- %s, %s: %s (%s)", l, plural(len(g.Cases), "case"), mdText(g.Reason),
						mdText(ids(g.Cases, 3))),
				)
			}
		}
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n", strings.ToUpper(string(v[:1]))+string(v[1:]), strings.Join(lines, "\n"))
		}
	}
	if len(r.Stale) > 0 {
		b.WriteString("\n### The known-failures file is stale\n\n")
	}
	for _, s := range r.Stale {
		fmt.Fprintf(&b, "- %s\n", mdText(s.Text))
	}
	b.WriteString("\n### Coverage\n\n")
	all, missing := coverage(r)
	for _, c := range all {
		fmt.Fprintf(&b, "- %d of %d sides of stated rules tried in %s\n", c.Covered, c.Sides, mdCode(c.Media))
	}
	for i, c := range missing {
		if i == 10 {
			fmt.Fprintf(&b, "- and %d more not tried\n", len(missing)-i)
			break
		}
		fmt.Fprintf(&b, "- not tried: %s %s in %s: %s\n", mdCode(c.Rule.String()), mdText(c.Side), mdCode(c.Media),
			mdText(c.Reason))
	}
	for _, text := range r.Warnings {
		fmt.Fprintf(&b, "\nWarning: %s.\n", mdText(text))
	}
	if r.EndedEarly {
		fmt.Fprintf(&b, "\nEnded early: %s.\n", mdText(r.Stopped))
	}
	fmt.Fprintf(&b, "\n%s in %.1f s; %s (%s). Exit %d.\n", plural(r.Requests, "request"), r.Seconds, writes(r),
		mdText(r.Limits.String()), r.Exit)
	return []byte(b.String()), nil
}

// reproduce is the lines of shell that send the examples of what fails the run again.
func reproduce(r *results) string {
	var b strings.Builder
	for i := range r.Findings {
		f := &r.Findings[i]
		if line := r.again(f); f.Counts && line != "" {
			fmt.Fprintf(&b, "# %s\n%s\n", oneLine(f.Title), oneLine(line))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n### How to reproduce\n\n```sh\n" + b.String() + "```\n"
}

// mdText is text that Markdown and a table take as it is. What would call a person,
// name an issue or make a link of itself goes between backticks.
func mdText(s string) string {
	if strings.ContainsAny(s, "@#$") || strings.Contains(s, "://") || strings.Contains(strings.ToLower(s), "www.") {
		return mdCode(s)
	}
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "&", "&amp;", "<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`,
		"~", `\~`, "`", "\\`", "[", `\[`, "]", `\]`).
		Replace(oneLine(s))
}

// mdCode is text between backticks. A bar would end the cell of a table even there,
// and cannot be escaped after a backslash.
func mdCode(s string) string {
	if s = oneLine(s); s == "" {
		return ""
	}
	return "`" + strings.NewReplacer("`", "'", "|", "¦").Replace(s) + "`"
}
