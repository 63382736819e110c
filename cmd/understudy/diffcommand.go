package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts/diff"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/testsuite"
)

// diffCommand says what changed between two contracts.
func diffCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff [A] B",
		Short: "Say what changed between two pages, or a page and an OpenAPI document",
		Long: "Say what was added, removed, tightened or loosened from A to B, each with the lines\n" +
			"of the pages. A and B are Help Pages as text or OpenAPI documents; A is the embedded\n" +
			"page unless it is named. Exit code 1 means that a client that conformed to A can\n" +
			"break on B.",
		Example: "  understudy contract diff old.txt new.txt\n" +
			"  understudy contract diff openapi.yaml --format markdown",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return errors.New("give one file to compare with the embedded page, or two; see " +
					"'understudy contract diff --help'")
			}
			return nil
		},
	}
	format := cmd.Flags().String("format", "text", "one of "+strings.Join(diff.Formats(), ", "))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			args = []string{"", args[0]}
		}
		var sides []*diff.Side
		for _, name := range args {
			side, err := readSide(name)
			if err != nil {
				return err
			}
			sides = append(sides, side)
		}
		changes := diff.Compare(sides[0], sides[1])
		var b strings.Builder
		if err := diff.Write(&b, *format, changes); err != nil {
			return fmt.Errorf("--format: %w", err)
		}
		if _, err := fmt.Fprint(s.out, testsuite.Visible(b.String())); err != nil {
			return written(err)
		}
		if diff.Breaks(changes) {
			return &exitError{testsuite.ExitBroken, nil}
		}
		return nil
	}
	return cmd
}

// openAPIStart is how an OpenAPI document is told from a Help Page.
var openAPIStart = regexp.MustCompile(`^\s*\{|(?m)^["']?(openapi|swagger)["']?\s*:`)

// readSide reads a Help Page or an OpenAPI document; the embedded page for an empty name.
func readSide(name string) (*diff.Side, error) {
	if name == "" {
		c, err := loadContract("")
		if err != nil {
			return nil, err
		}
		return diff.Pages(c), nil
	}
	text, err := readFile(name, "the contract")
	if err != nil {
		return nil, err
	}
	if openAPIStart.Match(text) {
		side, err := diff.OpenAPI(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return side, nil
	}
	c, err := helppage.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return diff.Pages(c), nil
}
