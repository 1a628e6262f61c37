package privatepg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNotInstalled is wrapped by Start's error where no PostgreSQL is found.
var ErrNotInstalled = errors.New("no PostgreSQL server (initdb and postgres) was found on this machine: install one (Debian and Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql) or set DATABASE_URL to a PostgreSQL that runs")

// machine is what a start takes from its surroundings.
type machine struct {
	searchPath string   // as the variable PATH
	folders    []string // patterns of folders where packages put the programs
	elsewhere  []string // bases for homes outside the data directory, best first
	temporary  []string // folders that are emptied by others now and then
}

func thisMachine() machine {
	return machine{
		searchPath: os.Getenv("PATH"),
		folders: []string{
			"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
			"/usr/pgsql-*/bin",                   // PostgreSQL's packages for Red Hat
			"/usr/libexec/postgresql*",           // Alpine
			"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple silicon
			"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
			"/Library/PostgreSQL/*/bin",          // EDB's installer
			"/Applications/Postgres.app/*/Versions/*/bin",
			"/usr/local/pgsql/bin", // built from source
		},
		elsewhere: []string{"/var/lib/usher-pg", "/var/tmp/usher-pg"},
		temporary: []string{os.TempDir(), "/tmp", "/var/tmp"},
	}
}

// programs is one installation of PostgreSQL.
type programs struct {
	folder  string
	version string // as in 15.8
}

func (p programs) initdb() string   { return filepath.Join(p.folder, "initdb") }
func (p programs) postgres() string { return filepath.Join(p.folder, "postgres") }

// major is what has to be equal between a cluster and its server: the file
// PG_VERSION holds it. It had two parts up to 9.6.
func (p programs) major() string {
	first, rest, _ := strings.Cut(p.version, ".")
	if first != "9" {
		return first
	}
	second, _, _ := strings.Cut(rest, ".")
	return first + "." + second
}

// locate picks the installation to use for a home: the first one that the
// server's user can run, of the cluster's own major version where there is a
// cluster.
func (m machine) locate(ctx context.Context, h home) (programs, error) {
	wanted, err := h.clusterVersion()
	if err != nil {
		return programs{}, err
	}
	var other []string
	var problems error
	for _, folder := range m.installFolders(ctx) {
		version, err := postgresVersion(ctx, h.account, folder)
		found := programs{folder, version}
		switch {
		case err != nil:
			problems = errors.Join(problems, err)
		case wanted == "" || wanted == found.major():
			return found, nil
		default:
			other = append(other, found.major())
		}
	}
	if len(other) == 0 {
		return programs{}, fmt.Errorf("no PostgreSQL here can be run: %w", problems)
	}
	return programs{}, fmt.Errorf("the cluster in %s was made by PostgreSQL %s, and this machine has %s: install PostgreSQL %s, or move that folder away to begin with empty tables, or set DATABASE_URL", h.path, wanted, strings.Join(slices.Compact(other), ", "), wanted)
}

// installFolders are the folders that hold both programs, in the order in
// which they are tried: PATH, what pg_config names, the usual ones.
func (m machine) installFolders(ctx context.Context) []string {
	var folders []string
	for _, folder := range slices.Concat(filepath.SplitList(m.searchPath), m.configuredFolder(ctx), m.usualFolders()) {
		known := slices.Contains(folders, folder)
		if !known && isProgram(filepath.Join(folder, "initdb")) && isProgram(filepath.Join(folder, "postgres")) {
			folders = append(folders, folder)
		}
	}
	return folders
}

func (m machine) configuredFolder(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, folder := range filepath.SplitList(m.searchPath) {
		if config := filepath.Join(folder, "pg_config"); isProgram(config) {
			if out, err := exec.CommandContext(ctx, config, "--bindir").Output(); err == nil {
				return []string{strings.TrimSpace(string(out))}
			}
		}
	}
	return nil
}

// usualFolders lists the newest version first, whatever package it is from.
func (m machine) usualFolders() []string {
	var folders []string
	for _, pattern := range m.folders {
		if found, err := filepath.Glob(pattern); err == nil {
			folders = append(folders, found...)
		}
	}
	slices.SortStableFunc(folders, func(a, b string) int { return cmp.Compare(pathVersion(b), pathVersion(a)) })
	return folders
}

var versionInPath = regexp.MustCompile(`\d+(\.\d+)?`)

// pathVersion is the last number in a path.
func pathVersion(folder string) float64 {
	numbers := versionInPath.FindAllString(folder, -1)
	if len(numbers) == 0 {
		return 0
	}
	version, _ := strconv.ParseFloat(numbers[len(numbers)-1], 64)
	return version
}

// isProgram wants an absolute path: a PATH with "." in it must not decide
// what is run as another user.
func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && filepath.IsAbs(path) && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

var versionInAnswer = regexp.MustCompile(`\(PostgreSQL\) (\d+[.0-9]*)`)

// postgresVersion asks as the server's user, who must be able to run it. The
// answer's form is that of PostgreSQL's documentation: "postgres (PostgreSQL)
// 15.8", with a packager's words behind it.
func postgresVersion(ctx context.Context, a account, folder string) (string, error) {
	ask := a.command(filepath.Join(folder, "postgres"), "--version")
	out, err := ask.Output()
	if err := errors.Join(err, ctx.Err()); err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", ask.Path, err)
	}
	match := versionInAnswer.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("ask %s for its version: it said %q", ask.Path, out)
	}
	return string(match[1]), nil
}
