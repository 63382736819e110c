package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/fixtures/export"
)

// generateFlags are what a user chose.
type generateFlags struct {
	kind, format, output, shard, now string
	count                            uint64
	seed                             uint64
	set, families, fields, outcomes  []string
	tags                             []string
	id, level                        string
	list, ascii, noNUL, strictJSON   bool
	minimise                         bool
	maxBytes                         int
	profile, dateForm, zone          string
	population, with, omit           []string
	data, expect, naughtyFile        string
	table, compress                  string
	consumer, provider               string
	vus                              int
	duration                         time.Duration
	specs                            *fieldSpecs
	to                               string
	rate                             float64
	yesWrite                         int
	limitsWrites                     bool // yesWrite was given
	connectionFlags
}

const (
	kindValid, kindCases, kindCombinations = "valid", "cases", "combinations"
	kindNaughty, kindFuzz, kindAll         = "naughty", "fuzz", "all"
)

// What the payloads that would be valid are to be.
const expectAccept, expectReject = "accept", "reject"

var generateKinds = []string{kindValid, kindCases, kindCombinations, kindNaughty, kindFuzz, kindAll}

func generateCommand(s streams) *cobra.Command {
	var f generateFlags
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make payloads whose outcome is known: valid, edge-case and invalid",
		Long: "Make payloads whose outcome is known, from the page and a seed. The same seed\n" +
			"and --now give the same bytes, whatever the number of workers or shards.\n\n" +
			"Kinds: valid (rows by number), cases (one rule violation or boundary value\n" +
			"each), combinations (pairs of valid values, and one invalid), naughty (strings\n" +
			"that break software), fuzz (-n valid payloads with random changes), all but\n" +
			"fuzz. Without --kind: valid, or the catalogue if --list or a filter is given.\n\n" +
			"Outcomes: accept (the page allows it), reject (a stated rule, or the grammar of\n" +
			"JSON or HTTP, forbids it), unspecified (the page is silent).\n\n" +
			"Levels: MUST (a stated rule), SHOULD (a reading of the page with an argument\n" +
			"against it, the latitude), MAY (unspecified).",
		Example: "  understudy generate -n 1000 --seed 7 > valid.ndjson\n" +
			"  understudy generate --list --family length --outcome reject\n" +
			"  understudy generate --id Reason/length/251 --format raw\n" +
			"  understudy generate --kind cases --format postman -o cases.postman.json",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.kind, "kind", "", "what to make: "+strings.Join(generateKinds, ", "))
	flags.Uint64VarP(&f.count, "count", "n", 100, "number of valid payloads")
	flags.Uint64Var(&f.seed, "seed", 0, "random seed")
	flags.StringVar(&f.shard, "shard", "1/1", "part of the rows, as i/n")
	flags.StringSliceVar(&f.families, "family", nil, "cases of these families")
	flags.StringSliceVar(&f.fields, "field", nil, "cases about these fields")
	flags.StringSliceVar(&f.outcomes, "outcome", nil, "cases with these outcomes")
	flags.StringSliceVar(&f.tags, "tag", nil, "cases by what people call them: sql, xss, unicode, length, cwe-89")
	flags.StringVar(&f.level, "level", "may", "minimum level of cases: must, should or may")
	flags.StringVar(&f.id, "id", "", "cases by id: * is any text, a name includes what lies under it")
	flags.BoolVar(&f.list, "list", false, "print the catalogue as a table, without payloads")
	flags.StringArrayVar(&f.set, "set", nil, "fix a field of every valid payload, as Field=value")
	flags.StringVar(&f.profile, "profile", "", "what valid payloads are like: "+
		strings.Join(words(fixtures.Profiles()), ", ")+" (default: realistic)")
	flags.StringSliceVar(&f.population, "population", nil, "how many come back: users=500,providers=40")
	flags.StringVar(&f.dateForm, "date-form", string(fixtures.DateUTC), "how realistic rows spell dates: "+
		strings.Join(words(fixtures.DateForms()), ", "))
	flags.StringVar(&f.zone, "time-zone", "UTC", "where office hours are kept, an IANA `NAME`")
	flags.StringArrayVar(&f.with, "with", nil, "how a field's values are made: Note='{sentence}', "+
		"PaidAmount='{range: 20..250}'")
	flags.StringSliceVar(&f.omit, "omit", nil, "leave a field out of every payload")
	flags.StringVar(&f.data, "data", "", dataUsage)
	flags.StringVar(&f.expect, "expect", expectAccept, "what valid payloads become by --set, --with, --omit and "+
		"--data: accept or reject")
	flags.StringVar(&f.now, "now", "today", nowUsage)
	flags.BoolVar(&f.strictJSON, "strict-json", false, strictJSONUsage)
	flags.BoolVar(&f.ascii, "ascii", false, "ASCII characters only")
	flags.BoolVar(&f.noNUL, "no-nul", false, "leave NUL out")
	flags.IntVar(&f.maxBytes, "max-bytes", 0, "leave out cases with a longer body (0: no limit)")
	flags.StringVarP(&f.output, "output", "o", "", "file or folder to write to (default: standard output)")
	flags.StringVar(&f.format, "format", "ndjson", "one of "+strings.Join(export.Formats(), ", "))
	flags.StringVar(&f.naughtyFile, "naughty-file", "",
		"`FILE` of strings of one's own for --kind naughty, one per line")
	flags.BoolVar(&f.minimise, "minimise", false, "shrink each case to what it is about")
	flags.StringVar(&f.table, "table", "", "name of the table in SQL (default: that of the page's model)")
	flags.IntVar(&f.vus, "vus", 0, "k6: virtual users at once (default: 1)")
	flags.DurationVar(&f.duration, "duration", 0, "k6: how long payloads are sent (default: each of them once)")
	flags.StringVar(&f.compress, "compress", "", "compress the output: "+strings.Join(words(export.Compressions()),
		", "))
	flags.StringVar(&f.to, "to", "", "send the payloads to the server at `URL` and write none")
	flags.Float64Var(&f.rate, "rate", 0, "requests per second (0: no limit)")
	flags.IntVar(&f.yesWrite, "yes-write", 0, "how many payloads a server that is not on loopback may get")
	f.add(flags)
	contract := pageFlag(cmd)
	config := configurable(cmd, s, fieldsKey)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(cmd.Flags()); err != nil {
			return err
		}
		f.specs = newFieldSpecs()
		if f.makesRows() {
			if err := f.specs.readFile(config()); err != nil {
				return err
			}
		}
		if err := f.specs.readFlags(f.with, f.omit); err != nil {
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
		g, err := fixtures.New(theOperation(c), o)
		if err != nil {
			return f.specs.placed(err)
		}
		rows, err := f.rows(g)
		if err != nil {
			return err
		}
		if err := f.prepareFormat(theOperation(c), rows); err != nil {
			return err
		}
		if f.to != "" {
			return f.send(cmd.Context(), s, theOperation(c), rows)
		}
		if f.list {
			if err := listRows(s.out, rows.Cases); err != nil {
				return err
			}
			return printNotSent(s, rows.notSent)
		}
		return f.write(cmd.Context(), s, rows)
	}
	return cmd
}

// prepareFormat prepares the format of the rows.
func (f *generateFlags) prepareFormat(op *contracts.Operation, r *rows) (err error) {
	r.format, err = export.New(f.format, op, f.formatOptions())
	if err == nil && r.format.Typed() && f.expect == expectReject {
		return fmt.Errorf("--expect reject: the columns of %s hold values of one type each, which rows that must be "+
			"rejected may not be: use ndjson", f.format)
	}
	return err
}

// filtered says that only some cases are asked for.
func (f *generateFlags) filtered() bool {
	return len(f.families)+len(f.fields)+len(f.outcomes)+len(f.tags) > 0 || f.id != "" ||
		f.minimum() != fixtures.LevelMay
}

// minimum is the level that cases must have.
func (f *generateFlags) minimum() fixtures.Level { return fixtures.Level(strings.ToUpper(f.level)) }

func (f *generateFlags) check(flags *pflag.FlagSet) error {
	if f.kind != "" && !slices.Contains(generateKinds, f.kind) {
		return fmt.Errorf("unknown kind %q: use one of %s", f.kind, strings.Join(generateKinds, ", "))
	}
	if !slices.Contains(export.Formats(), f.format) {
		return fmt.Errorf("unknown format %q: use one of %s", f.format, strings.Join(export.Formats(), ", "))
	}
	for _, o := range f.outcomes {
		if known := []string{"accept", "reject", "unspecified"}; !slices.Contains(known, o) {
			return fmt.Errorf("unknown outcome %q: use one of %s", o, strings.Join(known, ", "))
		}
	}
	if f.minimum().Weight() == 0 {
		return fmt.Errorf("unknown level %q: use must, should or may", f.level)
	}
	if f.kind == kindValid && (f.filtered() || f.list) {
		return errors.New(
			"--list, --family, --field, --outcome, --tag, --level and --id choose from the catalogue, and " +
				"--kind valid has none: use --kind cases",
		)
	}
	if f.kind == "" && !f.filtered() && !f.list {
		f.kind = kindValid
	}
	if f.expect != expectAccept && f.expect != expectReject {
		return fmt.Errorf("--expect %q: use accept or reject", f.expect)
	}
	if !f.makesRows() {
		for _, name := range []string{"with", "omit", "data", "expect", "profile", "population", "date-form"} {
			if from := origin(flags, name); from == "--"+name {
				return fmt.Errorf("%s is about valid payloads: use it with --kind valid or all", from)
			}
		}
		f.expect = expectAccept
	}
	if f.profile == string(fixtures.ProfileEdge) {
		for _, name := range []string{"population", "date-form", "time-zone"} {
			if from := origin(flags, name); from == "--"+name {
				return fmt.Errorf("%s is about realistic and minimal rows: leave it out, or --profile edge", from)
			}
		}
	}
	if f.expect == expectReject && f.kind == kindAll {
		return errors.New("--expect reject is about valid payloads alone: use it with --kind valid")
	}
	if flags.Changed("count") && f.kind != kindValid && f.kind != kindAll && f.kind != kindFuzz {
		return errors.New("-n is the number of valid payloads, or of fuzz cases: use it with --kind valid, fuzz or all")
	}
	if f.naughtyFile != "" && f.kind != kindNaughty && f.kind != kindAll && f.kind != "" {
		return errors.New("--naughty-file is about naughty strings: use it with --kind naughty or all")
	}
	if f.minimise && f.kind == kindValid {
		return errors.New("--minimise is about cases, and --kind valid has none: use --kind cases")
	}
	if err := f.checkSending(flags); err != nil {
		return err
	}
	if f.maxBytes < 0 {
		return errors.New("--max-bytes is a number of bytes from 0")
	}
	return nil
}

// makesRows says that valid payloads are asked for.
func (f *generateFlags) makesRows() bool { return f.kind == kindValid || f.kind == kindAll }

func (f *generateFlags) options() (fixtures.Options, error) {
	o := fixtures.Options{Seed: f.seed, ASCII: f.ascii, NoNUL: f.noNUL, MaxBytes: f.maxBytes,
		StrictJSON: f.strictJSON}
	var err error
	if o.Now, err = parseDay(f.now); err != nil {
		return o, err
	}
	o.Profile, o.DateForm = fixtures.Profile(f.profile), fixtures.DateForm(f.dateForm)
	if o.Zone, err = fixtures.LoadZone(f.zone); err != nil {
		return o, fmt.Errorf("--time-zone: %w", err)
	}
	if o.Population, err = parsePopulation(f.population); err != nil {
		return o, err
	}
	o.Fields, o.ExpectReject = f.specs.specs, f.expect == expectReject
	if f.naughtyFile != "" {
		if o.Naughty, err = readNaughty(f.naughtyFile); err != nil {
			return o, err
		}
	}
	if f.data != "" {
		if o.Rows, err = readData(f.data); err != nil {
			return o, err
		}
	}
	o.Set, err = parseSet(f.set)
	return o, err
}

// readNaughty reads strings, one per line; empty lines and those that begin with # are none.
func readNaughty(name string) ([]string, error) {
	text, err := readFile(name, "--naughty-file")
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("--naughty-file %s is not UTF-8", name)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("--naughty-file %s has no strings", name)
	}
	return all, nil
}

// words are texts of one type as texts.
func words[T ~string](list []T) []string {
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = string(x)
	}
	return texts
}

// parsePopulation reads --population.
func parsePopulation(pairs []string) (map[string]int, error) {
	sizes := map[string]int{}
	for _, pair := range pairs {
		name, number, found := strings.Cut(pair, "=")
		n, err := strconv.Atoi(number)
		if !found || err != nil {
			return nil, fmt.Errorf("--population %q: use a name and a number, as users=500", pair)
		}
		if _, twice := sizes[strings.ToLower(strings.TrimSpace(name))]; twice {
			return nil, fmt.Errorf("--population: %s is given twice: leave out one of them", name)
		}
		sizes[strings.ToLower(strings.TrimSpace(name))] = n
	}
	return sizes, nil
}

func (f *generateFlags) formatOptions() export.Options {
	return export.Options{Table: f.table, Consumer: f.consumer, Provider: f.provider, VUs: f.vus,
		Duration: f.duration, Compress: export.Compression(f.compress)}
}

// parseDay reads --now. Today is that of the machine's clock and zone.
func parseDay(text string) (time.Time, error) {
	if text == "today" {
		y, m, d := time.Now().Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, fmt.Errorf("--now: invalid date %q: use YYYY-MM-DD or today", text)
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
		if _, twice := set[name]; twice {
			return nil, fmt.Errorf("--set %s is given twice: leave out one of them", name)
		}
		set[name] = value
	}
	return set, nil
}

// rows are what is written, and the cases whose requests are not made.
type rows struct {
	export.Rows
	format  *export.Format
	notSent []fixtures.Case
}

func (f *generateFlags) rows(g *fixtures.Generator) (*rows, error) {
	r := &rows{Rows: export.Rows{Generator: g, Mixed: f.kind == kindAll}}
	if f.kind == kindValid || f.kind == kindAll && !f.filtered() && !f.list {
		r.Valid = f.count
	}
	wants := func(kind string) bool { return f.kind == kind || f.kind == kindAll || f.kind == "" }
	if wants(kindCases) {
		for _, c := range g.Cases() {
			if c.NotSent != "" {
				r.notSent = append(r.notSent, c)
			} else {
				r.Cases = append(r.Cases, c)
			}
		}
	}
	if wants(kindCombinations) {
		pairs, err := g.Combinations(2)
		if err != nil {
			return nil, err
		}
		r.Cases = append(r.Cases, pairs...)
	}
	if wants(kindNaughty) {
		r.Cases = append(r.Cases, g.Naughty()...)
	}
	if f.kind == kindFuzz {
		r.Fuzz = f.count
		if f.filtered() || f.list || f.minimise {
			for i := range f.count {
				r.Cases = append(r.Cases, g.Fuzz(i))
			}
			r.Fuzz = 0
		}
	}
	r.Cases = fixtures.Distinct(r.Cases)
	if f.minimise {
		for i := range r.Cases {
			r.Cases[i] = g.Minimise(r.Cases[i])
		}
	}
	if err := f.filter(r); err != nil {
		return nil, err
	}
	shard, err := fixtures.ParseShard(f.shard)
	if err != nil {
		return nil, fmt.Errorf("--shard: %w", err)
	}
	r.Part(shard)
	return r, nil
}

func (f *generateFlags) filter(r *rows) error {
	if !f.filtered() {
		return nil
	}
	families, fields := map[string]bool{}, map[string]bool{}
	for i := range r.Cases {
		families[string(r.Cases[i].Family)] = true
		fields[string(r.Cases[i].Path)] = true
	}
	for _, x := range f.families {
		if !families[x] {
			return fmt.Errorf("unknown family %q: use %s", x, strings.Join(sortedKeys(families), ", "))
		}
	}
	delete(fields, "")
	for _, x := range f.fields {
		if !slices.ContainsFunc(r.Cases, func(c fixtures.Case) bool { return isAbout(&c, x) }) {
			return fmt.Errorf("no case is about the field %q: use %s", x, strings.Join(sortedKeys(fields), ", "))
		}
	}
	tags := fixtures.TagsOf(r.Cases)
	for i, x := range f.tags {
		if f.tags[i] = strings.ToLower(x); !slices.Contains(tags, f.tags[i]) {
			return fmt.Errorf("no case has the tag %q; the nearest is %q", x, fixtures.Nearest(x, tags))
		}
	}
	kept := r.Cases[:0]
	var ids []string
	matched := false
	for _, c := range r.Cases {
		ids = append(ids, c.ID)
		if f.id != "" && !fixtures.Match(f.id, c.ID) {
			continue
		}
		matched = true
		if chosen(f.families, string(c.Family)) && chosen(f.outcomes, string(c.Outcome)) &&
			(len(f.fields) == 0 || slices.ContainsFunc(f.fields, func(x string) bool { return isAbout(&c, x) })) &&
			(len(f.tags) == 0 || slices.ContainsFunc(f.tags, func(x string) bool {
				return slices.Contains(c.Tags,
					x)
			})) &&
			c.Level.Weight() >= f.minimum().Weight() {
			kept = append(kept, c)
		}
	}
	if f.id != "" && !matched {
		return fmt.Errorf("no case has an id like %q; the nearest is %q", f.id, fixtures.Nearest(f.id, ids))
	}
	if len(kept) == 0 {
		return errors.New("no case fits all of --family, --field, --outcome, --tag, --level and --id: leave one out")
	}
	r.Cases = kept
	return nil
}

// isAbout reports a case about a field, or a field of its elements.
func isAbout(c *fixtures.Case, field string) bool {
	return c.Path != "" && contracts.ParsePath(field).Covers(c.Path)
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

// listRows prints the catalogue: level, outcome, line of the page, id.
func listRows(w io.Writer, cases []fixtures.Case) error {
	var b strings.Builder
	b.WriteString("LEVEL   OUTCOME      LINE  ID\n")
	count := map[oracle.Outcome]int{}
	for _, c := range cases {
		line := "-"
		if c.Line > 0 {
			line = strconv.Itoa(c.Line)
		}
		fmt.Fprintf(&b, "%-6s  %-11s  %4s  %s\n", c.Level, c.Outcome, line, c.ID)
		count[c.Outcome]++
	}
	fmt.Fprintf(&b, "%d cases: %d accept, %d reject, %d unspecified.\nLINE is the line in the Help Page.\n",
		len(cases), count[oracle.OutcomeAccept], count[oracle.OutcomeReject], count[oracle.OutcomeUnspecified])
	_, err := io.WriteString(w, b.String())
	return written(err)
}

// write writes the rows in the chosen format to where the user wants them.
func (f *generateFlags) write(ctx context.Context, s streams, r *rows) error {
	if r.Fuzz > 0 && !r.format.HoldsAnyBody() {
		for i := range r.Fuzz {
			r.Cases = append(r.Cases, r.Generator.Fuzz(r.FirstFuzz+i))
		}
		r.Fuzz = 0
	}
	all := len(r.Cases)
	kept, cannot := r.format.Carry(r.Cases)
	r.Cases = kept
	if all > 0 && r.Len() == 0 {
		return fmt.Errorf("the format %s holds none of the %d cases: %s", f.format, all, cannot)
	}
	var err error
	info, statErr := os.Stat(f.output)
	folder := f.output != "" && (strings.HasSuffix(f.output, "/") || statErr == nil && info.IsDir())
	switch {
	case r.format.Folder() && f.output == "" && r.Len() != 1:
		return fmt.Errorf("the format %s writes a file per row, and there are %d: name a folder with -o", f.format,
			r.Len())
	case r.format.Folder() && f.output != "":
		err = machine(r.format.WriteFolder(ctx, f.output, &r.Rows))
	case f.output == "":
		_, err = f.writeRows(ctx, s, s.out, r)
		err = written(err)
	default:
		err = machine(f.writeFile(ctx, s, folder, r))
	}
	if err == nil && len(kept) < all {
		_, err = fmt.Fprintf(s.err, "left out %d of %d cases: %s\n", all-len(kept), all, cannot)
	}
	if err == nil {
		err = printNotSent(s, r.notSent)
	}
	return err
}

// printNotSent names the cases whose requests are not made.
func printNotSent(s streams, all []fixtures.Case) error {
	if len(all) == 0 {
		return nil
	}
	more := ""
	if len(all) > 1 {
		more = fmt.Sprintf("; and %d more", len(all)-1)
	}
	_, err := fmt.Fprintf(s.err, "not made: %s: %s%s\n", all[0].ID, all[0].NotSent, more)
	return written(err)
}

// writeFile writes the rows to a file, or to one in a folder.
func (f *generateFlags) writeFile(ctx context.Context, s streams, folder bool, r *rows) error {
	name := f.output
	if folder {
		if err := os.MkdirAll(f.output, 0o750); err != nil {
			return fmt.Errorf("cannot make the folder: %w", err)
		}
		kind := f.kind
		if kind == "" {
			kind = kindCases
		}
		name = filepath.Join(f.output, kind+r.format.Extension())
	}
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("cannot write the payloads: %w", err)
	}
	written, err := f.writeRows(ctx, s, file, r)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("cannot write the payloads: %w; %s has %d of %d rows", err, name, written, r.Len())
	}
	return nil
}

func (f *generateFlags) writeRows(ctx context.Context, s streams, w io.Writer, r *rows) (uint64, error) {
	bar := newProgress(s.err, r.Len(), "rows")
	defer bar.end()
	counted := &counter{to: w}
	n, err := r.format.Write(ctx, counted, &r.Rows, bar.show)
	if err == nil {
		bar.sum(fmt.Sprintf("%d rows, %s", n, size(counted.bytes)))
	}
	return n, err
}

// counter counts what is written.
type counter struct {
	to    io.Writer
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.bytes += int64(n)
	return n, err
}
