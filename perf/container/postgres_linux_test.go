package container

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

const (
	// postgresUser owns the data in the image and runs the server, which refuses root.
	postgresUser = 999
	// nobody makes the data on this machine, for the same reason.
	nobody = 65534
)

// TestPostgres runs a real service at rising parallelism: PostgreSQL, of Debian's
// package and the libraries that it loads, with its data made beforehand. It is ready
// when it answers a client. PERF_LONG goes up to a hundred at once.
func TestPostgres(t *testing.T) {
	e := realEngine(t)
	needsNetns(t, e, "tcp:5432")
	image := postgresImage(t, e)
	preset, ok := FindPreset("postgres")
	if !ok {
		t.Fatal("there is no preset for postgres")
	}
	levels := []int{1, 4}
	if os.Getenv("PERF_LONG") != "" {
		levels = []int{1, 2, 4, 8, 16, 32, 64, 100}
	}
	for _, n := range levels {
		s := Spec{Config: Config{Image: image, Network: "none", Labels: containerLabels(t)}, ReadyTimeout: 10 * time.Minute, Timeout: 15 * time.Minute}
		preset.Fill(&s)
		s.Config.Image, s.Grace = image, 5*time.Minute // a hundred that end at once wait for each other
		began := time.Now()
		phases := atOnce(t, e, s, n)
		took := time.Since(began)
		if t.Failed() {
			t.FailNow()
		}
		t.Logf("%3d at once: %.2f/s; median ms: create %.0f, start %.0f, ready %.0f (the program %.0f), stop %.0f, remove %.0f, create to ready %.0f",
			n, float64(n)/took.Seconds(),
			medianOf(phases, func(p Phases) time.Duration { return p.Create }), medianOf(phases, func(p Phases) time.Duration { return p.Start }),
			medianOf(phases, func(p Phases) time.Duration { return p.Ready }), medianOf(phases, func(p Phases) time.Duration { return p.Program }),
			medianOf(phases, func(p Phases) time.Duration { return p.Stop }), medianOf(phases, func(p Phases) time.Duration { return p.Remove }),
			medianOf(phases, Phases.ContainerStart))
		for _, p := range phases {
			// The fast shutdown ends with 0, and a server that was killed or crashed does not.
			if p.Killed || p.ExitCode != 0 || !p.HasProgram || p.Program < 10*time.Millisecond {
				t.Errorf("%d at once: %+v", n, p)
			}
		}
	}
}

func medianOf(phases []Phases, of func(Phases) time.Duration) float64 {
	values := make([]float64, len(phases))
	for i, p := range phases {
		values[i] = milliseconds(of(p))
	}
	return median(values)
}

// atOnce runs a number of lifecycles at the same time.
func atOnce(t *testing.T, e Engine, s Spec, n int) []Phases {
	t.Helper()
	phases := make([]Phases, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var err error
			if phases[i], err = Lifecycle(t.Context(), e, s); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return phases
}

// TestPostgresAnswers sees that the preset tells a server that listens, and does not
// serve yet, from one that serves.
func TestPostgresAnswers(t *testing.T) {
	answer := "E\x00\x00\x00\x40SFATAL\x00VFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00"
	preset, _ := FindPreset("postgres")
	served := "R\x00\x00\x00\x08\x00\x00\x00\x00" // AuthenticationOk
	if !strings.Contains(answer, preset.Ready.Busy) || strings.Contains(served, preset.Ready.Busy) {
		t.Errorf("%q does not tell the answers of a server apart", preset.Ready.Busy)
	}
}

// postgresImage imports the image by the docker command, and removes it in the end.
func postgresImage(t *testing.T, e Engine) (name string) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		testenv.Missing(t, "postgres", "there is no /usr/lib/postgresql/*/bin/postgres (Debian's package postgresql)")
	}
	docker := testenv.Tool(t, "docker")
	bin := filepath.Dir(found[len(found)-1])
	owner, err := testOwner()
	if err != nil {
		t.Fatal(err)
	}
	name = owner.Image("test-postgres")
	args := []string{"import"}
	for _, change := range []string{
		"USER " + strconv.Itoa(postgresUser), "ENV LANG=C PGDATA=/data",
		fmt.Sprintf(`ENTRYPOINT [%q, "-c", "listen_addresses=*", "-c", "unix_socket_directories=/tmp"]`, filepath.Join(bin, "postgres")),
	} {
		args = append(args, "--change", change)
	}
	for k, v := range testLabels() {
		args = append(args, "--change", fmt.Sprintf("LABEL %q=%q", k, v))
	}
	cmd := exec.CommandContext(t.Context(), docker, append(args, "-", name)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.RemoveImage(context.Background(), name); err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("removing the image: %v", err)
		}
	})
	w := tar.NewWriter(stdin)
	packed := packPostgres(t, w, bin)
	if err := errors.Join(packed, w.Close(), stdin.Close(), cmd.Wait()); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return name
}

// packPostgres writes the root of the image.
func packPostgres(t *testing.T, w *tar.Writer, bin string) error {
	t.Helper()
	version := filepath.Base(filepath.Dir(bin))
	trees := []string{filepath.Join(bin, "postgres"), "/usr/lib/postgresql/" + version + "/lib", "/usr/share/postgresql/" + version, "/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/Etc/UTC"}
	trees = append(trees, libraries(t, filepath.Join(bin, "postgres"))...)
	var err error
	for _, tree := range trees {
		err = errors.Join(err, addTree(w, tree, tree, 0))
	}
	passwd := fmt.Sprintf("root:x:0:0::/:/none\npostgres:x:%d:%d::/data:/none\n", postgresUser, postgresUser)
	err = errors.Join(err,
		w.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}),
		w.WriteHeader(&tar.Header{Name: "etc/passwd", Mode: 0o644, Size: int64(len(passwd))}))
	_, writeErr := io.WriteString(w, passwd)
	return errors.Join(err, writeErr, addTree(w, postgresData(t, bin), "/data", postgresUser))
}

// libraries are the files that a program loads when it is started, by ldd(1).
func libraries(t *testing.T, program string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), testenv.Tool(t, "ldd"), program).Output()
	if err != nil {
		t.Fatalf("ldd %s: %v", program, err)
	}
	var found []string
	for _, m := range regexp.MustCompile(`(?m)(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		found = append(found, m[1])
	}
	if len(found) < 3 {
		t.Fatalf("ldd %s: %s", program, out)
	}
	return found
}

// postgresData makes the data of a server, as another user than root.
func postgresData(t *testing.T, bin string) string {
	t.Helper()
	dir := t.TempDir()
	// Up to the folder that Go's test makes, everything must be open to the other user.
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8", "--no-sync")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "LANG=C", "TZ=UTC"}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	return data
}

// addTree adds a file or all of a folder under another name. Links are followed, as
// what they lead to need not be in the image.
func addTree(w *tar.Writer, from, to string, owner int) error {
	return filepath.WalkDir(from, func(path string, _ fs.DirEntry, err error) error {
		// The compiler of queries, which is never asked for, is a tenth of everything.
		if err != nil || strings.Contains(path, "llvmjit") || strings.Contains(path, "/bitcode/") {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // a link that leads nowhere
				return nil
			}
			return err
		}
		header, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		header.Name = strings.TrimPrefix(to+strings.TrimPrefix(path, from), "/")
		header.Uid, header.Gid, header.Uname, header.Gname = owner, owner, "", ""
		if info.IsDir() {
			header.Name += "/"
			return w.WriteHeader(header)
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, f)
		return errors.Join(err, f.Close())
	})
}
