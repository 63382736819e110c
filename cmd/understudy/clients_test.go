//go:build clients

package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/fixtures/export"
	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/report"
)

// These tests hand what generate writes to the programs that it is written for.
// They fetch those programs at pinned versions; make test-formats and
// make test-k6 run them.
const (
	newman  = "newman@6.2.2"
	k6      = "go.k6.io/k6@v1.8.1"
	httpyac = "httpyac@6.16.7"
	bruno   = "@usebruno/cli@4.1.0"
	vegeta  = "github.com/tsenart/vegeta/v12@v12.12.0"
	// Readers of Parquet, and of tables.
	hyparquet    = "hyparquet@1.33.0"
	hycompressor = "hyparquet-compressors@1.1.1"
	papaparse    = "papaparse@5.5.3"
	// Readers of TAP, and of HAR by its published JSON schema.
	tapParser    = "tap-parser@18.3.4"
	harValidator = "har-validator@5.1.5"
)

func TestNewman(t *testing.T) {
	t.Parallel()
	server := startTarget(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "cases.json")
	_, _ = generate(t, "--kind", "all", "--format", "postman", "-o", file)
	cmd := exec.CommandContext(t.Context(), "npx", "--yes", newman, "run", file, "--env-var", "target="+server.URL,
		"--reporters", "cli", "--reporter-cli-no-success-assertions", "--color", "off")
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(out))
	m := regexp.MustCompile(`assertions │\s+(\d{4}) │\s+0 │`).FindSubmatch(out)
	require.NotNil(t, m, "%s", tail(out))
	t.Logf("newman: %s assertions, 0 failed", m[1])
}

func TestK6(t *testing.T) {
	server := startTarget(t)
	file := filepath.Join(t.TempDir(), "cases.js")
	_, _ = generate(t, "--kind", "all", "--format", "k6", "-o", file)
	cmd := exec.CommandContext(t.Context(), "go", "run", k6, "run", "--no-color", file)
	cmd.Env = append(os.Environ(), "TARGET="+server.URL, "K6_NO_USAGE_REPORT=true")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(out))
	m := regexp.MustCompile(`checks_succeeded\.*: 100\.00% (\d{4}) out of (\d{4})`).Find(out)
	require.NotNil(t, m, "%s", tail(out))
	t.Logf("k6: %s", m)
}

// TestK6ForATime has three users send valid payloads for two seconds.
func TestK6ForATime(t *testing.T) {
	server := startTarget(t)
	file := filepath.Join(t.TempDir(), "load.js")
	_, _ = generate(t, "-n", "100", "--format", "k6", "--vus", "3", "--duration", "2s", "-o", file)
	cmd := exec.CommandContext(t.Context(), "go", "run", k6, "run", "--no-color", file)
	cmd.Env = append(os.Environ(), "TARGET="+server.URL, "K6_NO_USAGE_REPORT=true")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(out))
	m := regexp.MustCompile(`checks_succeeded\.*: 100\.00% (\d+) out of (\d+)`).FindSubmatch(out)
	require.NotNil(t, m, "%s", tail(out))
	require.Greater(t, number(t, m[1]), 100, "each payload at least once")
	require.Regexp(t, `http_req_failed\.*: 0\.00%`, string(out))
	t.Logf("k6: %s", m[0])
}

// readReports prints what the readers found: points of TAP and those that fail,
// entries of a valid HAR.
const readReports = `
const { readFileSync } = require('fs');
const { Parser } = require('tap-parser');
const all = Parser.parse(readFileSync('report.tap', 'utf8'), { flat: true });
const points = all.filter((e) => e[0] === 'assert').map((e) => e[1]);
const failed = points.filter((p) => !p.ok && !p.todo && !p.skip);
console.log('tap', points.length, failed.length);
const archive = JSON.parse(readFileSync('report.har'));
require('har-validator').har(archive).then(() => console.log('har', archive.log.entries.length));
`

func TestReaders(t *testing.T) {
	server := httptest.NewServer(targets["lenient"])
	defer server.Close()
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	var out, errs strings.Builder
	code := run(
		t.Context(),
		[]string{
			"verify",
			server.URL,
			"--report",
			"tap=" + at("report.tap") + ",har=" + at("report.har") + ",json=" + at("report.json"),
		},
		streams{strings.NewReader(""), &out, &errs, func(string) string { return "" }},
	)
	require.Equal(t, testsuite.ExitBroken, code, errs.String())
	f, err := os.Open(at("report.json"))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	r, err := report.Read(f)
	require.NoError(t, err)
	install := exec.CommandContext(t.Context(),
		"npm", "install", "--no-save", "--prefix", folder, tapParser, harValidator)
	text, err := install.CombinedOutput()
	require.NoError(t, err, "%s", tail(text))
	read := exec.CommandContext(t.Context(), "node", "-e", readReports)
	read.Dir = folder
	text, err = read.CombinedOutput()
	require.NoError(t, err, "%s", tail(text))
	require.Equal(t,
		fmt.Sprintf("tap %d %d\nhar %d\n", len(r.Cases), len(r.Failed(fixtures.LevelMust)), len(r.Exchanges)),
		string(text))
	t.Logf("%s", text)
}

// TestHTTPyac runs each request of the file with its assertion.
func TestHTTPyac(t *testing.T) {
	t.Parallel()
	server := startTarget(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "cases.http")
	_, _ = generate(t, "--kind", "all", "--level", "must", "--format", "http", "-o", file)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	text = []byte(strings.Replace(string(text), export.Target, server.URL, 1))
	require.NoError(t, os.WriteFile(file, text, 0o600))
	cmd := exec.CommandContext(t.Context(), "npx", "--yes", httpyac, "send", file, "--all", "--output", "none",
		"--output-failed", "short", "--no-color")
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(out))
	m := regexp.MustCompile(`(\d+) requests? processed \((\d+) succeeded(, \d+ failed)?`).FindSubmatch(out)
	require.NotNil(t, m, "%s", tail(out))
	require.Equal(t, string(m[1]), string(m[2]), "%s", tail(out))
	require.Equal(t, strings.Count(string(text), "\n### "), number(t, m[1]))
	t.Logf("httpyac: %s", m[0])
}

// TestBruno runs a collection of some families with its tests.
func TestBruno(t *testing.T) {
	t.Parallel()
	server := startTarget(t)
	folder := filepath.Join(t.TempDir(), "collection")
	var out, errs strings.Builder
	code := run(t.Context(), []string{"contract", "export", "--as", "bruno", "--family", "required,length,media,integer",
		"-o", folder}, streams{strings.NewReader(""), &out, &errs, func(string) string { return "" }})
	require.Equal(t, testsuite.ExitOK, code, errs.String())
	files, err := filepath.Glob(filepath.Join(folder, "*.bru"))
	require.NoError(t, err)
	require.Greater(t, len(files), 100)
	cmd := exec.CommandContext(t.Context(), "npx", "--yes", bruno, "run", "--env", "mock", "--env-var",
		"target="+server.URL, "--reporter-json", filepath.Join(t.TempDir(), "results.json"))
	cmd.Dir = folder
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(text))
	require.Contains(t, string(text), fmt.Sprintf("%d (%d Passed)", len(files), len(files)), "%s", tail(text))
	t.Logf("bruno: %d requests, each as the page says", len(files))
}

func number(t *testing.T, text []byte) int {
	t.Helper()
	n, err := strconv.Atoi(string(text))
	require.NoError(t, err)
	return n
}

// TestVegeta attacks a mock with the targets.
func TestVegeta(t *testing.T) {
	t.Parallel()
	server := startTarget(t)
	file := filepath.Join(t.TempDir(), "targets.ndjson")
	_, _ = generate(t, "-n", "200", "--format", "vegeta", "-o", file)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	text = []byte(strings.ReplaceAll(string(text), export.Target, server.URL))
	require.NoError(t, os.WriteFile(file, text, 0o600))
	results := file + ".bin"
	cmd := exec.CommandContext(t.Context(), "go", "run", vegeta, "attack", "-format", "json", "-targets", file,
		"-rate", "200/s", "-duration", "1s", "-output", results)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(out))
	cmd = exec.CommandContext(t.Context(), "go", "run", vegeta, "report", results)
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(out))
	require.Regexp(t, `Status Codes\s+\[code:count\]\s+200:200\s`, string(out))
	t.Logf("vegeta: 200 responses with 200")
}

// summary is what a table of 1000 payloads must add up to, as the payloads themselves do.
type summary struct {
	Rows, Users, Notes, Reasons int
	Paid                        float64
	Longest                     string // note
}

// payloadsOf are the payloads of a command as NDJSON.
func summaryOf(t *testing.T, arguments ...string) (want summary) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rows.ndjson")
	_, _ = generate(t, append(arguments, "-o", file)...)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	users := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		var row struct {
			UserId     string
			Note       *string
			PaidAmount float64
			Reasons    []struct{ ReasonId string }
		}
		require.NoError(t, json.Unmarshal([]byte(line), &row))
		want.Rows++
		users[row.UserId] = true
		if row.Note != nil {
			want.Notes++
			if len([]rune(*row.Note)) > len([]rune(want.Longest)) {
				want.Longest = *row.Note
			}
		}
		want.Paid += row.PaidAmount
		want.Reasons += len(row.Reasons)
	}
	want.Users = len(users)
	return want
}

// tableQuery adds a table up.
const tableQuery = `SELECT count(*), count(DISTINCT "UserId"), count("Note"),
(SELECT count(*) FROM "Bookings_Reasons" r JOIN "Bookings" b ON b."Id" = r."BookingsId"),
round(sum("PaidAmount"), 2),
(SELECT "Note" FROM "Bookings" WHERE "Note" IS NOT NULL ORDER BY length("Note") DESC, 1 LIMIT 1) FROM "Bookings";
`

// requireTable compares what a database printed of the query with what the payloads add up to.
func requireTable(t *testing.T, want summary, printed string) {
	t.Helper()
	cells := strings.SplitN(strings.Trim(printed, "\n"), "|", 6)
	require.Len(t, cells, 6, printed)
	paid, err := strconv.ParseFloat(cells[4], 64)
	require.NoError(t, err)
	require.InDelta(t, want.Paid, paid, 0.005)
	require.Equal(t, len([]rune(want.Longest)), len([]rune(cells[5])))
	cells[4], cells[5] = "", ""
	require.Equal(t, fmt.Sprintf("%d|%d|%d|%d||", want.Rows, want.Users, want.Notes, want.Reasons),
		strings.Join(cells, "|"))
}

func TestSQLite(t *testing.T) {
	for _, profile := range []string{"realistic", "edge"} {
		rows := []string{"-n", "1000", "--profile", profile, "--no-nul"}
		file := filepath.Join(t.TempDir(), "rows.sql")
		_, _ = generate(t, append(rows, "--format", "sql-sqlite", "--table", "Bookings", "-o", file)...)
		script, err := os.ReadFile(file)
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), "sqlite3", "-bail", filepath.Join(t.TempDir(), "rows.db"))
		cmd.Stdin = strings.NewReader(string(script) + ".mode list\n" + tableQuery)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", tail(out))
		requireTable(t, summaryOf(t, rows...), string(out))
	}
	t.Log("sqlite3: 1000 rows of each of two profiles add up")
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	bin, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	require.NotEmpty(t, bin, "install the package postgresql first")
	folder, err := os.MkdirTemp("", "pg") // a short path, for its socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	require.NoError(t, os.Chmod(folder, 0o777)) // root may not run it
	as := func(stdin string, arguments ...string) string {
		if os.Getuid() == 0 {
			arguments = append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"}, arguments...)
		}
		cmd := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...)
		cmd.Stdin, cmd.Dir = strings.NewReader(stdin), folder
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", tail(out))
		return string(out)
	}
	program := func(name string) string { return filepath.Join(bin[0], name) }
	data := filepath.Join(folder, "data")
	as("", program("initdb"), "-D", data, "-U", "postgres", "-E", "UTF8", "--locale", "C.UTF-8")
	as("", program("pg_ctl"), "-D", data, "-w", "-l", filepath.Join(folder, "log"), "-o", "-k "+folder+" -h ''", "start")
	t.Cleanup(func() {
		stop := []string{program("pg_ctl"), "-D", data, "-m", "immediate", "stop"}
		if os.Getuid() == 0 {
			stop = append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"}, stop...)
		}
		_ = exec.Command(stop[0], stop[1:]...).Run()
	})
	for _, profile := range []string{"realistic", "edge"} {
		rows := []string{"-n", "1000", "--profile", profile, "--no-nul"}
		file := filepath.Join(t.TempDir(), "rows.sql")
		_, _ = generate(t, append(rows, "--format", "sql-postgres", "--table", "Bookings", "-o", file)...)
		script, err := os.ReadFile(file)
		require.NoError(t, err)
		as("CREATE DATABASE "+profile+";", program("psql"), "-q", "-h", folder, "-U", "postgres", "-v", "ON_ERROR_STOP=1")
		out := as(string(script)+tableQuery, program("psql"), "-q", "-A", "-t", "-h", folder, "-U", "postgres", "-d", profile,
			"-v", "ON_ERROR_STOP=1")
		requireTable(t, summaryOf(t, rows...), out)
	}
	t.Log("PostgreSQL: 1000 rows of each of two profiles add up")
}

// readTables prints what other readers find in the tables.
const readTables = `
import { readFileSync } from 'node:fs';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import Papa from 'papaparse';
const add = (name, rows, text, list) => {
  const notes = rows.map((r) => r.Note).filter((n) => n !== null && n !== undefined && n !== '');
  console.log(JSON.stringify({ name, rows: rows.length, users: new Set(rows.map((r) => r.UserId)).size, notes: notes.length,
    paid: Math.round(rows.reduce((sum, r) => sum + Number(r.PaidAmount ?? 0), 0) * 100) / 100,
    reasons: rows.reduce((sum, r) => sum + list(r.Reasons), 0) }));
};
const bytes = readFileSync('rows.parquet');
const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
add('parquet', await parquetReadObjects({ file, compressors }), '', (l) => (l ?? []).length);
for (const [name, delimiter] of [['csv', ','], ['tsv', '\t']]) {
  const { data, errors } = Papa.parse(readFileSync('rows.' + name, 'utf8').replace(/\n$/, ''), { header: true, delimiter });
  if (errors.length) throw new Error(JSON.stringify(errors[0]));
  add(name, data, '', (l) => (l ? JSON.parse(l).length : 0));
}
`

func TestTables(t *testing.T) {
	folder := t.TempDir()
	rows := []string{"-n", "1000", "--seed", "4"}
	for _, format := range []string{"parquet", "csv", "tsv"} {
		_, _ = generate(t, append(rows, "--format", format, "-o", filepath.Join(folder, "rows."+format))...)
	}
	want := summaryOf(t, rows...)
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-save", "--prefix", folder, hyparquet, hycompressor,
		papaparse)
	text, err := install.CombinedOutput()
	require.NoError(t, err, "%s", tail(text))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "read.mjs"), []byte(readTables), 0o600))
	read := exec.CommandContext(t.Context(), "node", "read.mjs")
	read.Dir = folder
	out, err := read.CombinedOutput()
	require.NoError(t, err, "%s", tail(out))
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, 3)
	for _, line := range lines {
		var got struct {
			Name                        string
			Rows, Users, Notes, Reasons int
			Paid                        float64
		}
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		require.InDelta(t, want.Paid, got.Paid, 0.01, line)
		require.Equal(t, []int{want.Rows, want.Users, want.Notes, want.Reasons},
			[]int{got.Rows, got.Users, got.Notes, got.Reasons}, line)
		t.Log(line)
	}
}

func tail(out []byte) []byte { return out[max(0, len(out)-4000):] }
