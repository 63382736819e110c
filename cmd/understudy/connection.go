package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/testsuite"
)

// connectionFlags say how a target is reached and who is calling.
type connectionFlags struct {
	headers                         []string
	bearerEnv, bearerCommand, basic string
	authority, certificate, key     string
	insecure                        bool
	connectTo, path                 string
	anonymous                       bool
}

func (f *connectionFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.headers, "header", nil, "header of every request, as 'Name: value'; the value is secret")
	_ = flags.SetAnnotation("header", pairKey, []string{": "}) // the flag exists
	flags.StringVar(&f.bearerEnv, "bearer-env", "", "`variable` of the environment that holds a bearer token")
	flags.StringVar(&f.bearerCommand, "bearer-cmd", "", "`command` that prints a bearer token; run again after a 401")
	flags.StringVar(&f.basic, "basic-env", "", "`variable` of the environment that holds user:password")
	flags.StringVar(&f.authority, "cacert", "", "`file` of certificates in PEM to trust besides the system's")
	flags.StringVar(&f.certificate, "cert", "", "`file` of the client's certificate in PEM")
	flags.StringVar(&f.key, "key", "", "`file` of its key in PEM")
	flags.BoolVar(&f.insecure, "insecure", false, "do not check the target's certificate")
	flags.StringVar(&f.connectTo, "connect-to", "",
		"connect elsewhere, as HOST:PORT:HOST:PORT; empty parts fit anything")
	flags.StringVar(&f.path, "path", "", "path of the endpoint (default: the page's route)")
	flags.BoolVar(&f.anonymous, "no-case-header", false, "do not name the case in X-Understudy-Case")
}

// apply puts the flags into a Config; --path is the payloads'.
func (f *connectionFlags) apply(c *testsuite.Config, s streams) error {
	to := &c.Target
	to.Anonymous, to.ConnectTo = f.anonymous, f.connectTo
	for _, text := range f.headers {
		name, value, found := strings.Cut(text, ":")
		if name = strings.TrimSpace(name); !found || name == "" || strings.ContainsAny(name, " \t") {
			return errors.New("--header: use 'Name: value'")
		}
		to.Headers = append(to.Headers, contracts.Header{Name: name, Value: strings.TrimSpace(value)})
	}
	if err := f.credentials(c, s); err != nil {
		return err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	settings.InsecureSkipVerify = f.insecure
	if f.authority != "" {
		pem, err := readFile(f.authority, "--cacert")
		if err != nil {
			return err
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return fmt.Errorf("--cacert %s: the file holds no certificate in PEM", f.authority)
		}
		settings.RootCAs = pool
	}
	if (f.certificate == "") != (f.key == "") {
		return errors.New("--cert and --key go together: give both")
	}
	if f.certificate != "" {
		pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
		if err != nil {
			return fmt.Errorf("--cert %s: %w", f.certificate, err)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	to.TLS = settings
	return nil
}

func (f *connectionFlags) credentials(c *testsuite.Config, s streams) error {
	given := 0
	for _, x := range []string{f.bearerEnv, f.bearerCommand, f.basic} {
		if x != "" {
			given++
		}
	}
	if given > 1 {
		return errors.New("--bearer-env, --bearer-cmd and --basic-env exclude each other: give one")
	}
	fromEnv := func(flag, name string) (string, error) {
		value := s.getenv(name)
		if value == "" {
			return "", fmt.Errorf("%s %s: the variable is empty or not set", flag, name)
		}
		return value, nil
	}
	fixed := func(authorization string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return authorization, nil }
	}
	switch {
	case f.bearerEnv != "":
		token, err := fromEnv("--bearer-env", f.bearerEnv)
		if err != nil {
			return err
		}
		c.Secrets = append(c.Secrets, token)
		c.Target.Token = fixed("Bearer " + token)
	case f.basic != "":
		pair, err := fromEnv("--basic-env", f.basic)
		if err != nil {
			return err
		}
		_, password, found := strings.Cut(pair, ":")
		if !found {
			return fmt.Errorf("--basic-env %s: the variable does not hold user:password", f.basic)
		}
		coded := base64.StdEncoding.EncodeToString([]byte(pair))
		c.Secrets = append(c.Secrets, pair, password, coded)
		c.Target.Token = fixed("Basic " + coded)
	case f.bearerCommand != "":
		c.Target.Token = func(ctx context.Context) (string, error) { return runForToken(ctx, f.bearerCommand) }
	}
	return nil
}

// maxToken is the longest token in bytes; servers reject headers long before.
const maxToken = 64 << 10

// runForToken runs the user's command in the shell. Its output is the token, and
// no error shows it.
func runForToken(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command) //nolint:gosec // the user's own command, by the flag
	// What the command leaves running keeps its output open; it is not waited for.
	cmd.WaitDelay = tokenGrace
	out := &limitedBuffer{left: maxToken + 1}
	cmd.Stdout = out
	if err := cmd.Run(); err != nil && !(errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil) {
		return "", fmt.Errorf("--bearer-cmd failed: %w", err)
	}
	token := strings.TrimSpace(out.String())
	if token == "" || len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return "", errors.New("--bearer-cmd must print a token on one line")
	}
	return "Bearer " + token, nil
}

// tokenGrace is how long the output of a command that has ended is waited for.
const tokenGrace = 200 * time.Millisecond

// limitedBuffer keeps the beginning of what is written to it.
type limitedBuffer struct {
	bytes.Buffer
	left int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	keep := p[:min(len(p), b.left)]
	b.left -= len(keep)
	_, _ = b.Buffer.Write(keep) // memory does not fail
	return len(p), nil
}

// maxFile is the largest file that a flag names, in bytes.
const maxFile = 16 << 20

func readFile(name, flag string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s: %s is longer than %d bytes", flag, name, maxFile)
	}
	return b, nil
}
