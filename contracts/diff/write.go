package diff

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Formats are the names of the formats.
func Formats() []string { return []string{"text", "json", "markdown"} }

// Write writes changes in a format. The error is about an unknown format, or the writer's.
func Write(w io.Writer, format string, all []Change) error {
	write, known := map[string]func([]Change) ([]byte, error){
		"text": text, "json": asJSON, "markdown": markdown,
	}[format]
	if !known {
		return fmt.Errorf("unknown format %q: use %s", format, strings.Join(Formats(), ", "))
	}
	out, err := write(all)
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// What is said of a change that can break a client.
const breaks = "can break a client"

// summary is what was found in a sentence.
func summary(all []Change) string {
	n := 0
	for _, c := range all {
		if c.Breaks {
			n++
		}
	}
	switch len(all) {
	case 0:
		return "Nothing changed of what is compared."
	case 1:
		return fmt.Sprintf("1 change, %d of which %s.", n, breaks)
	}
	return fmt.Sprintf("%d changes, %d of which %s.", len(all), n, breaks)
}

// words are what was before and what is now, each with its line.
func (c *Change) words() string {
	side := func(words string, line int) string {
		if line == 0 {
			return words
		}
		return fmt.Sprintf("%s (line %d)", words, line)
	}
	before, after := side(c.Before, c.BeforeLine), side(c.After, c.AfterLine)
	switch {
	case c.Before == "":
		return after
	case c.After == "":
		return before
	}
	return before + ", now " + after
}

// name is what changed.
func (c *Change) name() string {
	if id := c.Rule.String(); id != "" {
		return id
	}
	return c.Operation
}

// text has a line per change, under the name of its operation.
func text(all []Change) ([]byte, error) {
	var b strings.Builder
	operation := ""
	for i := range all {
		c := &all[i]
		if c.Operation != operation {
			operation = c.Operation
			b.WriteString(operation + "\n")
		}
		mark := " "
		if c.Breaks {
			mark = "!"
		}
		fmt.Fprintf(&b, "%s %-9s  %s: %s\n", mark, c.Kind, c.name(), c.words())
	}
	b.WriteString(summary(all) + "\n")
	if Breaks(all) {
		b.WriteString("! marks what " + breaks + " that conformed to the first.\n")
	}
	return []byte(b.String()), nil
}

func asJSON(all []Change) ([]byte, error) {
	if all == nil {
		all = []Change{}
	}
	out, err := json.MarshalIndent(map[string]any{"changes": all, "breaks": Breaks(all)}, "", "  ")
	return append(out, '\n'), err
}

func markdown(all []Change) ([]byte, error) {
	var b strings.Builder
	b.WriteString(summary(all) + "\n")
	operation := ""
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	for i := range all {
		c := &all[i]
		if c.Operation != operation {
			operation = c.Operation
			fmt.Fprintf(&b, "\n### %s\n\n| breaks | change | rule | |\n|---|---|---|---|\n", operation)
		}
		mark := ""
		if c.Breaks {
			mark = "**yes**"
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s |\n", mark, c.Kind, cell.Replace(c.name()), cell.Replace(c.words()))
	}
	return []byte(b.String()), nil
}
