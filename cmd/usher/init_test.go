package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// initialize runs init with answers on the standard input.
func initialize(t *testing.T, answers string, args []string, variables ...string) (code int, output string) {
	t.Helper()
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == "init" })
	var out bytes.Buffer
	inv := newInvocation(commands[i], args, getenvOf(variables...), &out, &out)
	inv.stdin = strings.NewReader(answers)
	code = inv.run(t.Context())
	return code, out.String()
}

// TestInitToTheFirstPaidPlan begins with a key and nothing else, and ends with a plan that is paid.
func TestInitToTheFirstPaidPlan(t *testing.T) {
	environment, began := newStripeAccount(t), time.Now()
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte("# Ours\nLOG_LEVEL=warn\n# BASE_URL=http://localhost:4312\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	dataDir, addr := newDataDir(t), freeAddress(t)
	settings := []string{"DATA_DIR=" + dataDir, environment[1]}
	answers := "pk_test_wrong\n" + strings.TrimPrefix(environment[0], "STRIPE_SECRET_KEY=") + "\n\nhttp://" + addr + "\n\n"
	code, output := initialize(t, answers, []string{"--env", file}, settings...)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, output)
	}
	t.Logf("usher init: %s", time.Since(began).Round(time.Millisecond))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Ours\n", "LOG_LEVEL=warn\n", "# BASE_URL=http://localhost:4312\nBASE_URL=http://" + addr + "\n", "STRIPE_WEBHOOK_SECRET=whsec_", environment[0]} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the file has no %q:\n%s", want, text)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	file1, err := readEnvFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{file1.values["STRIPE_SECRET_KEY"], file1.values["STRIPE_WEBHOOK_SECRET"], file1.values["SECRETS_KEY"]} {
		if secret == "" || strings.Contains(output, secret) {
			t.Errorf("the output has a secret, or there is none: %s", output)
		}
	}
	if !strings.Contains(output, "a publishable key") {
		t.Errorf("the wrong key is not refused: %s", output)
	}

	code, again := initialize(t, "", []string{"--env", file, "--yes"}, settings...)
	if second, _ := os.ReadFile(file); code != exitOK || !bytes.Equal(second, text) || strings.Contains(again, "created") {
		t.Errorf("the second run: exit code %d, %s\n%s", code, again, second)
	}
	code, changed := initialize(t, "", []string{"--env", file, "--yes", "--mail", "smtp://user:verysecretpassword@127.0.0.1:1"}, settings...)
	if code != exitFailed || !strings.Contains(changed, "set SMTP_URL") || strings.Contains(changed, "verysecret") {
		t.Errorf("exit code %d: %s", code, changed)
	}

	variables := []string{"ADDR=" + addr, "DATA_DIR=" + dataDir}
	for name, value := range file1.values {
		variables = append(variables, name+"="+value)
	}
	server := startServer(t, variables...)
	c := server.client(t)
	c.signUpForPro("first@example.com").pay("4242424242424242")
	c.waitForSummary("the paid plan", func(s billingSummary) bool { return s.Subscription != nil && s.Subscription.Status == "active" })
	t.Logf("usher init and usher serve, to the first paid subscription: %s", time.Since(began).Round(time.Millisecond))
}

// TestInitKeepsTheKeyOfTheMachine takes over the key with which a development machine has sealed
// secrets, so that they stay readable.
func TestInitKeepsTheKeyOfTheMachine(t *testing.T) {
	key, dataDir := newSecretsKey(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dataDir, "secrets.key"), []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &setup{invocation: &invocation{stdout: io.Discard}, config: Config{DataDir: dataDir}, environment: getenvOf("DATA_DIR=" + dataDir)}
	var err error
	if s.file, err = readEnvFile(filepath.Join(t.TempDir(), ".env")); err != nil {
		t.Fatal(err)
	}
	if err := s.keepSecretsKey(t.Context()); err != nil || s.file.values["SECRETS_KEY"] != key {
		t.Errorf("%q, %v, want %q", s.file.values["SECRETS_KEY"], err, key)
	}
}

// freeAddress returns an address on this machine on which nothing listens, and no other one of this
// process will. Its port is below those that systems give to whoever asks for any.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if _, given := givenAddresses.LoadOrStore(address, true); given {
			continue
		}
		if listener, err := net.Listen("tcp", address); err == nil {
			_ = listener.Close()
			return address
		}
	}
	t.Fatal("no address is free")
	return ""
}

var givenAddresses sync.Map

func TestInitRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	for name, c := range map[string]struct {
		args      []string
		variables []string
		want      string
	}{
		"a wrong key":      {[]string{"--yes", "--env", file}, []string{"STRIPE_SECRET_KEY=pk_test_123456789"}, "a publishable key"},
		"a wrong address":  {[]string{"--yes", "--env", file, "--address", "billing"}, nil, "BASE_URL"},
		"no answer":        {[]string{"--env", file}, nil, "the input ended"},
		"an unknown way":   {[]string{"--plans", "merge"}, nil, "--plans is push, pull or keep"},
		"a missing file":   {[]string{"--yes", "--env", file, "--key-file", file + ".key"}, nil, "read the key"},
		"a broken setting": {[]string{"--yes", "--env", writeFile(t, "LOG_LEVEL warn\n")}, nil, "line 1"},
	} {
		code, output := initialize(t, "", c.args, c.variables...)
		if code == exitOK || !strings.Contains(output, c.want) {
			t.Errorf("%s: exit code %d, %s", name, code, output)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a refused run has written the file")
	}
}

func TestEnvFileKeepsEverythingElse(t *testing.T) {
	for _, c := range []struct{ text, value, want string }{
		{"", "x", "NAME=x\n"},
		{"A=1", "x", "A=1\nNAME=x\n"},
		{"# NAME=\nB=2\n", "x", "# NAME=\nNAME=x\nB=2\n"},
		{"export NAME=old # why\nB=2\n", "new", "NAME=new\nB=2\n"},
		{"NAMES=1\n", "a b#c", "NAMES=1\nNAME='a b#c'\n"},
		{"", "it's $5", "NAME=\"it's \\$5\"\n"},
	} {
		f, err := readEnvFile(writeFile(t, c.text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.set("NAME", c.value); err != nil || f.text != c.want {
			t.Errorf("%q: %q, %v, want %q", c.text, f.text, err, c.want)
		}
	}
}
