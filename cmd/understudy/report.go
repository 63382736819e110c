package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/report"
)

// reportCommand makes reports from a record, and says what changed between two.
func reportCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report RESULTS.json",
		Short: "Make reports from the JSON results of a run, or compare two",
		Example: "  understudy report results.json --html report.html --junit junit.xml\n" +
			"  understudy report results.json --known known.yaml\n" +
			"  understudy report --diff monday.json tuesday.json",
	}
	diff := cmd.Flags().
		Bool("diff", false, "print what changed from the first record to the second; exit 1 if more fails the run")
	files := map[string]*string{}
	for _, format := range report.Formats() {
		files[format] = cmd.Flags().String(format, "", "`file` to write the report "+format+" to; - is standard output")
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case *diff && len(args) != 2:
			return errors.New("--diff compares two records: give their files")
		case !*diff && len(args) != 1:
			return errors.New("give the file of one record; see 'understudy report --help'")
		}
		for _, format := range report.Formats() {
			if *diff && *files[format] != "" {
				return fmt.Errorf("--diff prints what changed and writes no report: leave out --%s", format)
			}
		}
		return nil
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var records []*testsuite.Results
		for _, name := range args {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			r, err := report.Read(f)
			_ = f.Close() // it was only read
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			records = append(records, r)
		}
		if *diff {
			worse, err := report.Diff(s.out, records[0], records[1])
			if err == nil && worse {
				return &exitError{testsuite.ExitBroken, nil}
			}
			return written(err)
		}
		var list []string
		for _, format := range report.Formats() {
			switch name := *files[format]; name {
			case "":
			case "-":
				list = append(list, format)
			default:
				list = append(list, format+"="+name)
			}
		}
		if len(list) == 0 {
			list = []string{"text"}
		}
		outputs, err := openReports(list)
		if err != nil {
			return err
		}
		return writeReports(outputs, records[0], s)
	}
	return cmd
}

// output is a report and where it goes.
type output struct {
	format string
	file   *os.File // nil for standard output
	name   string
}

// openReports opens the files before anything is sent, so that no result is lost
// because it cannot be placed. What they hold stays until there is something new.
func openReports(list []string) ([]output, error) {
	var all []output
	for _, item := range list {
		format, name, toFile := strings.Cut(item, "=")
		o := output{format: format, name: name}
		if !slices.Contains(report.Formats(), format) {
			closeUnused(all)
			return nil, fmt.Errorf("--report %q: use NAME or NAME=FILE with one of %s", item,
				strings.Join(report.Formats(), ", "))
		}
		if toFile {
			file, err := openOutput(name, 0, forAll, all)
			if err != nil {
				closeUnused(all)
				return nil, machine(fmt.Errorf("--report %s: %w", format, err))
			}
			o.file = file
		}
		all = append(all, o)
	}
	return all, nil
}

// The permissions of new files, of which the user's umask takes away what it does.
const (
	// forAll is a report's, which other programs and people are to read.
	forAll fs.FileMode = 0o666
	// forOwner is a ledger's, which holds ids of a real system.
	forOwner fs.FileMode = 0o600
)

// openOutput opens a file to write to. It does not follow a symbolic link, which
// someone else may have put there, and two outputs cannot share a file.
func openOutput(name string, flag int, permissions fs.FileMode, others []output) (*os.File, error) {
	// Links that the system has for what the process has open.
	path := filepath.Clean(name)
	device := path == "/dev/stdout" || path == "/dev/stderr" || strings.HasPrefix(path, "/dev/fd/")
	before, err := os.Lstat(name)
	switch {
	case err == nil && before.Mode()&os.ModeSymlink != 0 && !device:
		return nil, fmt.Errorf("%s is a symbolic link, which is not followed: name the file that it leads to", name)
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		flag |= os.O_CREATE | os.O_EXCL // with which no link is followed
	default:
		return nil, err
	}
	file, err := os.OpenFile(name, flag|os.O_WRONLY, permissions)
	if err != nil {
		return nil, err
	}
	now, err := file.Stat()
	if err == nil && before != nil && !device && !os.SameFile(before, now) {
		err = fmt.Errorf("%s has become another file", name)
	}
	for _, o := range others {
		if o.file == nil || err != nil || !now.Mode().IsRegular() {
			continue
		}
		if other, problem := o.file.Stat(); problem == nil && os.SameFile(other, now) {
			err = fmt.Errorf("%s is named twice: give each output a file of its own", name)
		}
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	return file, nil
}

// closeUnused closes files that nothing was written to, and removes those that
// are empty.
func closeUnused(all []output) {
	for _, o := range all {
		if o.file == nil {
			continue
		}
		info, err := o.file.Stat()
		_ = o.file.Close() // nothing was written
		if err == nil && info.Mode().IsRegular() && info.Size() == 0 {
			_ = os.Remove(o.name) // an empty file that stays does no harm
		}
	}
}

func writeReports(all []output, r *testsuite.Results, s streams) error {
	var problems []error
	for _, o := range all {
		var err error
		if o.file == nil {
			if err = report.Write(s.out, o.format, r); errors.Is(err, syscall.EPIPE) {
				err = nil // the reader has what it wanted
			}
		} else {
			if info, problem := o.file.Stat(); problem == nil && info.Mode().IsRegular() {
				err = o.file.Truncate(0)
			}
			err = errors.Join(err, report.Write(o.file, o.format, r), o.file.Close())
		}
		if err == nil && o.format == "github" {
			err = stepSummary(r, s.getenv("GITHUB_STEP_SUMMARY"))
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("the report %s cannot be written: %w", o.format, err))
		}
	}
	return machine(errors.Join(problems...))
}

// stepSummary adds the report to the summary of a step of GitHub Actions.
func stepSummary(r *testsuite.Results, name string) error {
	if name == "" {
		return nil
	}
	f, err := openOutput(name, os.O_APPEND, forAll, nil)
	if err != nil {
		return err
	}
	return errors.Join(report.Write(f, "markdown", r), f.Close())
}
