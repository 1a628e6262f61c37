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

// ErrNotInstalled is wrapped by the error of [Start] if no PostgreSQL is found.
var ErrNotInstalled = errors.New("no PostgreSQL server (initdb and postgres) was found on this machine: install one (Debian and Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql; nothing can be installed: make postgres) or set DATABASE_URL to a PostgreSQL that runs")

// environment is what a start depends on outside the data directory.
type environment struct {
	searchPath    string   // format of PATH
	binPatterns   []string // glob patterns of the directories where packages install the programs
	externalBases []string // parents for server directories outside the data directory, best first
	tempDirs      []string // temporary directories, whose content the system may delete
}

func systemEnvironment() environment {
	return environment{
		searchPath: os.Getenv("PATH"),
		binPatterns: []string{
			"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
			"/usr/pgsql-*/bin",                   // PostgreSQL's packages for Red Hat
			"/usr/libexec/postgresql*",           // Alpine
			"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple silicon
			"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
			"/Library/PostgreSQL/*/bin",          // EDB's installer
			"/Applications/Postgres.app/*/Versions/*/bin",
			"/usr/local/pgsql/bin", // built from source
		},
		externalBases: []string{"/var/lib/usher-pg", "/var/tmp/usher-pg"},
		tempDirs:      []string{os.TempDir(), "/tmp", "/var/tmp"},
	}
}

// installation is one installed version of PostgreSQL.
type installation struct {
	binDir  string
	version string // for example 15.8
}

func (p installation) initdb() string   { return filepath.Join(p.binDir, "initdb") }
func (p installation) postgres() string { return filepath.Join(p.binDir, "postgres") }

// major returns the major version, which has to equal the cluster's (file PG_VERSION). It has two
// parts up to 9.6.
func (p installation) major() string {
	first, rest, _ := strings.Cut(p.version, ".")
	if first != "9" {
		return first
	}
	second, _, _ := strings.Cut(rest, ".")
	return first + "." + second
}

// findInstallation returns the first installation that the server's user can run. If there is a
// cluster, the major versions must be equal.
func (env environment) findInstallation(ctx context.Context, h serverDir) (installation, error) {
	required, err := h.clusterVersion()
	if err != nil {
		return installation{}, err
	}
	var other []string
	var problems error
	for _, binDir := range env.binDirs(ctx) {
		version, err := postgresVersion(ctx, h.account, binDir)
		found := installation{binDir, version}
		switch {
		case err != nil:
			problems = errors.Join(problems, err)
		case required == "" || required == found.major():
			return found, nil
		default:
			other = append(other, found.major())
		}
	}
	if len(other) == 0 {
		return installation{}, fmt.Errorf("no installed PostgreSQL can be run: %w", problems)
	}
	return installation{}, fmt.Errorf("the cluster in %s was made by PostgreSQL %s, and this machine has %s: install PostgreSQL %s, or move that directory away to start with empty tables, or set DATABASE_URL", h.path, required, strings.Join(slices.Compact(other), ", "), required)
}

// binDirs returns the directories that hold both programs in the order of preference: PATH,
// pg_config, packages.
func (env environment) binDirs(ctx context.Context) []string {
	var dirs []string
	for _, binDir := range slices.Concat(filepath.SplitList(env.searchPath), env.pgConfigBinDir(ctx), env.packagedBinDirs()) {
		known := slices.Contains(dirs, binDir)
		if !known && isExecutable(filepath.Join(binDir, "initdb")) && isExecutable(filepath.Join(binDir, "postgres")) {
			dirs = append(dirs, binDir)
		}
	}
	return dirs
}

func (env environment) pgConfigBinDir(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, binDir := range filepath.SplitList(env.searchPath) {
		if config := filepath.Join(binDir, "pg_config"); isExecutable(config) {
			if out, err := exec.CommandContext(ctx, config, "--bindir").Output(); err == nil {
				return []string{strings.TrimSpace(string(out))}
			}
		}
	}
	return nil
}

// packagedBinDirs returns the directories of packages, newest version first.
func (env environment) packagedBinDirs() []string {
	var dirs []string
	for _, pattern := range env.binPatterns {
		if found, err := filepath.Glob(pattern); err == nil {
			dirs = append(dirs, found...)
		}
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(pathVersion(b), pathVersion(a)) })
	return dirs
}

var versionInPath = regexp.MustCompile(`\d+(\.\d+)?`)

// pathVersion returns the last number in a path.
func pathVersion(binDir string) float64 {
	numbers := versionInPath.FindAllString(binDir, -1)
	if len(numbers) == 0 {
		return 0
	}
	version, _ := strconv.ParseFloat(numbers[len(numbers)-1], 64)
	return version
}

// isExecutable reports whether path is an executable file. The path must be absolute: a PATH with
// "." must not decide what runs as another user.
func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && filepath.IsAbs(path) && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

var versionOutput = regexp.MustCompile(`\(PostgreSQL\) (\d+[.0-9]*)`)

// postgresVersion runs postgres --version as the server's user, who must be able to run it. The
// documented output is "postgres (PostgreSQL) 15.8", followed by words of the package.
func postgresVersion(ctx context.Context, a account, binDir string) (string, error) {
	cmd := a.command(filepath.Join(binDir, "postgres"), "--version")
	out, err := cmd.Output()
	if err := errors.Join(err, ctx.Err()); err != nil {
		return "", fmt.Errorf("read the version of %s: %w", cmd.Path, err)
	}
	match := versionOutput.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("read the version of %s: unexpected output %q", cmd.Path, out)
	}
	return string(match[1]), nil
}
