package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// generateFlags are what a user chose.
type generateFlags struct {
	kind, format, output, shard, now string
	count                            uint64
	seed                             uint64
	set, groups, fields, outcomes    []string
	id                               string
	list, ascii, noNUL               bool
	maxBytes                         int
}

const (
	kindValid, kindCases, kindCombinations = "valid", "cases", "combinations"
	kindNaughty, kindAll                   = "naughty", "all"
)

var generateKinds = []string{kindValid, kindCases, kindCombinations, kindNaughty, kindAll}

func generateCommand(s streams) *cobra.Command {
	var f generateFlags
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make payloads whose outcome is known: valid, edge-case and broken",
		Long: "Make payloads whose outcome is known, from the page and a seed. The same seed\n" +
			"gives the same bytes, whatever the number of workers, shards or the day.\n\n" +
			"Kinds: valid (rows by number), cases (one broken or stretched fact each),\n" +
			"combinations (pairs of good values, and one bad one), naughty (strings that\n" +
			"break software), all. Without --kind: valid, or the catalogue if --list or a\n" +
			"filter is given.\n\n" +
			"Outcomes: accept (the page allows it), reject (a stated rule, or the grammar of\n" +
			"JSON or HTTP, forbids it), unspecified (the page is silent).",
		Example: "  understudy generate -n 1000 --seed 7 > valid.ndjson\n" +
			"  understudy generate --list --group length --outcome reject\n" +
			"  understudy generate --id Reason/length/251 --format raw\n" +
			"  understudy generate --kind cases --format postman -o cases.postman.json",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.kind, "kind", "", "what to make: "+strings.Join(generateKinds, ", "))
	flags.Uint64VarP(&f.count, "count", "n", 100, "number of valid payloads")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of all choices")
	flags.StringVar(&f.shard, "shard", "1/1", "part of the rows, as i/n")
	flags.StringSliceVar(&f.groups, "group", nil, "cases of these groups")
	flags.StringSliceVar(&f.fields, "field", nil, "cases about these members")
	flags.StringSliceVar(&f.outcomes, "outcome", nil, "cases with these outcomes")
	flags.StringVar(&f.id, "id", "", "cases by id: * is any text, a name takes what lies under it")
	flags.BoolVar(&f.list, "list", false, "print the catalogue as a table, without payloads")
	flags.StringArrayVar(&f.set, "set", nil, "fix a member of every good payload, as Field=value")
	flags.StringVar(&f.now, "now", "", "day that dates follow, as YYYY-MM-DD or today (default: the page's)")
	flags.BoolVar(&f.ascii, "ascii", false, "keep to ASCII")
	flags.BoolVar(&f.noNUL, "no-nul", false, "leave NUL out")
	flags.IntVar(&f.maxBytes, "max-bytes", 0, "leave out cases with a longer body (0: no limit)")
	flags.StringVarP(&f.output, "output", "o", "", "file or folder to write to (default: standard output)")
	flags.StringVar(&f.format, "format", "ndjson", "one of "+strings.Join(formatNames(), ", "))
	contract := pageFlag(cmd)
	configurable(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(cmd.Flags()); err != nil {
			return err
		}
		c, err := contract()
		if err != nil {
			return err
		}
		o, err := f.options()
		if err != nil {
			return err
		}
		g, err := fixtures.New(c, o)
		if err != nil {
			return err
		}
		rows, err := f.rows(g)
		if err != nil {
			return err
		}
		if f.list {
			if err := listRows(s.out, rows); err != nil {
				return err
			}
			return printOmitted(s, rows.omitted)
		}
		return f.write(cmd.Context(), s, rows)
	}
	return cmd
}

// filtered says that only some cases are asked for.
func (f *generateFlags) filtered() bool {
	return len(f.groups)+len(f.fields)+len(f.outcomes) > 0 || f.id != ""
}

func (f *generateFlags) check(flags *pflag.FlagSet) error {
	if f.kind != "" && !slices.Contains(generateKinds, f.kind) {
		return fmt.Errorf("unknown kind %q: use one of %s", f.kind, strings.Join(generateKinds, ", "))
	}
	if formats[f.format] == nil {
		return fmt.Errorf("unknown format %q: use one of %s", f.format, strings.Join(formatNames(), ", "))
	}
	for _, o := range f.outcomes {
		if known := []string{"accept", "reject", "unspecified"}; !slices.Contains(known, o) {
			return fmt.Errorf("unknown outcome %q: use one of %s", o, strings.Join(known, ", "))
		}
	}
	if f.kind == kindValid && (f.filtered() || f.list) {
		return errors.New("--list, --group, --field, --outcome and --id choose from the catalogue, and --kind valid has none: use --kind cases")
	}
	if f.kind == "" && !f.filtered() && !f.list {
		f.kind = kindValid
	}
	if flags.Changed("count") && f.kind != kindValid && f.kind != kindAll {
		return errors.New("-n is the number of valid payloads: use it with --kind valid or all")
	}
	if f.maxBytes < 0 {
		return errors.New("--max-bytes is a number of bytes from 0")
	}
	return nil
}

func (f *generateFlags) options() (fixtures.Options, error) {
	o := fixtures.Options{Seed: f.seed, ASCII: f.ascii, NoNUL: f.noNUL, MaxBytes: f.maxBytes}
	var err error
	if o.Now, err = parseDay(f.now); err != nil {
		return o, err
	}
	o.Set, err = parseSet(f.set)
	return o, err
}

// parseDay reads --now; the zero time stands for the day of the page's sample.
func parseDay(text string) (time.Time, error) {
	switch text {
	case "":
		return time.Time{}, nil
	case "today":
		y, m, d := time.Now().Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, fmt.Errorf("--now %q is no day: use YYYY-MM-DD or today", text)
	}
	return day, nil
}

// parseSet reads --set.
func parseSet(pairs []string) (map[string]string, error) {
	set := map[string]string{}
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, fmt.Errorf("--set %q: use Field=value", pair)
		}
		set[name] = value
	}
	return set, nil
}

// rows are what is written: a number of valid payloads, then cases. A row is made
// when it is asked for, so that their number costs no memory.
type rows struct {
	g     *fixtures.Generator
	first uint64 // number of the first valid payload
	valid uint64
	cases []fixtures.Case
	// omitted are the cases that are not made.
	omitted []fixtures.Omitted
	mixed   bool // both kinds are there, so that each row has to say which it is
}

func (r *rows) count() uint64 { return r.valid + uint64(len(r.cases)) }

// part cuts out shard i of n: the shards in order are the whole.
func (r *rows) part(i, n uint64) {
	total := r.count()
	// total*i may not fit in 64 bits, total/n*i does.
	at := func(i uint64) uint64 { return total/n*i + total%n*i/n }
	from, to := at(i-1), at(i)
	caseFrom, caseTo := max(from, r.valid)-r.valid, max(to, r.valid)-r.valid
	from, to = min(from, r.valid), min(to, r.valid)
	r.first, r.valid, r.cases = r.first+from, to-from, r.cases[caseFrom:caseTo]
}

func (f *generateFlags) rows(g *fixtures.Generator) (*rows, error) {
	r := &rows{g: g}
	if f.kind == kindValid || f.kind == kindAll && !f.filtered() && !f.list {
		r.valid = f.count
	}
	wants := func(kind string) bool { return f.kind == kind || f.kind == kindAll || f.kind == "" }
	if wants(kindCases) {
		r.cases, r.omitted = g.Catalogue()
	}
	if wants(kindCombinations) {
		pairs, err := g.Combinations(2)
		if err != nil {
			return nil, err
		}
		r.cases = append(r.cases, pairs...)
	}
	if wants(kindNaughty) {
		r.cases = append(r.cases, g.Naughty()...)
	}
	if err := f.filter(r); err != nil {
		return nil, err
	}
	r.mixed = f.kind == kindAll
	i, n, err := parseShard(f.shard)
	if err != nil {
		return nil, err
	}
	r.part(i, n)
	return r, nil
}

func parseShard(s string) (i, n uint64, err error) {
	a, b, found := strings.Cut(s, "/")
	i, errI := strconv.ParseUint(a, 10, 32)
	n, errN := strconv.ParseUint(b, 10, 32)
	if !found || errI != nil || errN != nil || i < 1 || i > n {
		return 0, 0, fmt.Errorf("--shard %q: use i/n with i from 1 to n", s)
	}
	return i, n, nil
}

func (f *generateFlags) filter(r *rows) error {
	if !f.filtered() {
		return nil
	}
	groups, fields := map[string]bool{}, map[string]bool{}
	for i := range r.cases {
		groups[r.cases[i].Group] = true
		fields[r.cases[i].Field] = true
	}
	for _, x := range f.groups {
		if !groups[x] {
			return fmt.Errorf("no case is of group %q: use %s", x, strings.Join(sortedKeys(groups), ", "))
		}
	}
	delete(fields, "")
	for _, x := range f.fields {
		if !fields[x] {
			return fmt.Errorf("no case is about member %q: use %s", x, strings.Join(sortedKeys(fields), ", "))
		}
	}
	kept := r.cases[:0]
	matched := false
	for _, c := range r.cases {
		if f.id != "" && !testsuite.Match(f.id, c.ID) {
			continue
		}
		matched = true
		if chosen(f.groups, c.Group) && chosen(f.fields, c.Field) && chosen(f.outcomes, string(c.Outcome)) {
			kept = append(kept, c)
		}
	}
	if f.id != "" && !matched {
		return fmt.Errorf("no case has an id like %q: 'understudy generate --list' prints them", f.id)
	}
	if len(kept) == 0 {
		return errors.New("no case fits all of --group, --field, --outcome and --id: leave one out")
	}
	r.cases = kept
	return nil
}

func chosen(list []string, value string) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// listRows prints the catalogue: outcome, line of the page, id.
func listRows(w io.Writer, r *rows) error {
	var b strings.Builder
	b.WriteString("OUTCOME      LINE  ID\n")
	count := map[fixtures.Outcome]int{}
	for _, c := range r.cases {
		line := "-"
		if c.Line > 0 {
			line = strconv.Itoa(c.Line)
		}
		fmt.Fprintf(&b, "%-11s  %4s  %s\n", c.Outcome, line, c.ID)
		count[c.Outcome]++
	}
	fmt.Fprintf(&b, "%d cases: %d accept, %d reject, %d unspecified. LINE is the page's.\n", len(r.cases),
		count[fixtures.Accept], count[fixtures.Reject], count[fixtures.Unspecified])
	_, err := io.WriteString(w, b.String())
	return quietPipe(err)
}

// quietPipe drops the error of a pipe whose reader has gone: it has what it
// wanted.
func quietPipe(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// write writes the rows in the chosen format to where the user wants them.
func (f *generateFlags) write(ctx context.Context, s streams, r *rows) error {
	form := formats[f.format]
	leftOut := 0
	if r.valid > 0 && form.valid == nil {
		return fmt.Errorf("the format %s has no valid payloads: use --kind cases", f.format)
	}
	kept := r.cases[:0]
	for i := range r.cases {
		if form.carries(&r.cases[i]) {
			kept = append(kept, r.cases[i])
		} else {
			leftOut++
		}
	}
	r.cases = kept
	var err error
	info, statErr := os.Stat(f.output)
	folder := f.output != "" && (strings.HasSuffix(f.output, "/") || statErr == nil && info.IsDir())
	switch {
	case f.format == "raw" && f.output == "" && r.count() != 1:
		return fmt.Errorf("the format raw writes one file a body, and there are %d: name a folder with -o", r.count())
	case f.format == "raw" && f.output != "":
		err = writeFiles(ctx, f.output, r)
	case f.output == "":
		_, err = writeRows(ctx, s, s.out, form, r)
		err = quietPipe(err)
	default:
		name := f.output
		if folder {
			if err := os.MkdirAll(f.output, 0o750); err != nil {
				return fmt.Errorf("cannot make the folder: %w", err)
			}
			kind := f.kind
			if kind == "" {
				kind = kindCases
			}
			name = filepath.Join(f.output, kind+form.extension)
		}
		err = writeFile(ctx, s, name, form, r)
	}
	if err == nil && leftOut > 0 {
		_, err = fmt.Fprintf(s.err, "left out %d of %d cases: %s\n", leftOut, leftOut+len(r.cases), form.cannot)
	}
	if err == nil {
		err = printOmitted(s, r.omitted)
	}
	return err
}

// printOmitted says which cases are not made.
func printOmitted(s streams, all []fixtures.Omitted) error {
	if len(all) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(s.err, "not made: %s: %s", all[0].ID, all[0].Why)
	if err == nil && len(all) > 1 {
		_, err = fmt.Fprintf(s.err, "; and %d more", len(all)-1)
	}
	if err == nil {
		_, err = fmt.Fprintln(s.err)
	}
	return err
}

func writeFile(ctx context.Context, s streams, name string, form *format, r *rows) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("cannot write the payloads: %w", err)
	}
	written, err := writeRows(ctx, s, file, form, r)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("cannot write the payloads: %w; %s has %d of %d rows", err, name, written, r.count())
	}
	return nil
}

// writeFiles writes one file a body, named by the row's id.
func writeFiles(ctx context.Context, folder string, r *rows) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("cannot make the folder: %w", err)
	}
	for i := range r.count() {
		c := r.at(i)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped; %s has %d of %d bodies", folder, i, r.count())
		}
		if err := os.WriteFile(filepath.Join(folder, fileName(&c)), fileText(&c), 0o600); err != nil {
			return fmt.Errorf("cannot write a body: %w; %s has %d of %d bodies", err, folder, i, r.count())
		}
	}
	return nil
}

// at is row i as a case.
func (r *rows) at(i uint64) fixtures.Case {
	if i < r.valid {
		return r.g.ValidCase(r.first + i)
	}
	return r.cases[i-r.valid]
}

// rowsPerChunk is what a worker makes at a time: some hundred kilobytes.
const rowsPerChunk = 256

// chunk is some rows in the format, and where in it each ends.
type chunk struct {
	text []byte
	ends []int
	done chan struct{}
}

// writeRows makes chunks of rows on every core and writes them in order; it
// returns the number of rows that are written whole.
func writeRows(ctx context.Context, s streams, w io.Writer, form *format, r *rows) (uint64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	total := r.count()
	free := make(chan *chunk, 2*workers)
	for range cap(free) {
		free <- &chunk{done: make(chan struct{}, 1)}
	}
	type job struct {
		from uint64
		into *chunk
	}
	jobs := make(chan job, workers)
	ordered := make(chan *chunk, cap(free))
	go func() {
		defer close(jobs)
		defer close(ordered)
		for from := uint64(0); from < total; from += rowsPerChunk {
			select {
			case c := <-free:
				ordered <- c
				jobs <- job{from, c}
			case <-ctx.Done():
				return
			}
		}
	}()
	for range workers {
		go func() {
			for j := range jobs {
				c := j.into
				c.text, c.ends = c.text[:0], c.ends[:0]
				for i := j.from; i < min(j.from+rowsPerChunk, total); i++ {
					c.text = form.append(c.text, r, i)
					c.ends = append(c.ends, len(c.text))
				}
				c.done <- struct{}{}
			}
		}()
	}
	written := uint64(0)
	progress := newProgress(s.err, total, "rows")
	defer progress.end()
	if _, err := io.WriteString(w, form.head); err != nil {
		return 0, err
	}
	for c := range ordered {
		<-c.done
		n, err := w.Write(c.text)
		for _, end := range c.ends {
			if end <= n {
				written++
			}
		}
		if err != nil {
			return written, err
		}
		progress.show(written)
		free <- c
	}
	if written < total {
		return written, errors.New("stopped")
	}
	_, err := io.WriteString(w, form.tail)
	return written, err
}

// progress prints how far a long run is, on a terminal.
type progress struct {
	terminal io.Writer // nil if there is none
	total    uint64
	unit     string
	next     time.Time
	shown    bool
}

const progressEvery = 500 * time.Millisecond

func newProgress(w io.Writer, total uint64, unit string) *progress {
	p := &progress{total: total, unit: unit, next: time.Now().Add(progressEvery)}
	if file, ok := w.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.terminal = w
		}
	}
	return p
}

func (p *progress) show(written uint64) {
	if p.terminal == nil || time.Now().Before(p.next) {
		return
	}
	p.next = time.Now().Add(progressEvery)
	p.shown = true
	_, _ = fmt.Fprintf(p.terminal, "\r%d of %d %s, %d%%", written, p.total, p.unit, written*100/max(p.total, 1))
}

func (p *progress) end() {
	if p.shown {
		_, _ = fmt.Fprint(p.terminal, "\r\x1b[K")
	}
}
