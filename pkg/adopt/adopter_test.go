// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/config"
)

// world is a machine: its files below a root, its units, and whom files belong to.
type world struct {
	t      *testing.T
	root   string
	units  map[string]*Unit
	owners map[string]int
	// failing are operations that fail, verdict is what the verification says while our
	// own unit runs, and old what it says while the old ones do.
	failing      map[string]error
	verdict, old map[string]string
	stops        []string
	log          []string
	// controller is what was read, where many worlds are alike.
	controller *Controller
	// countdown, above 0, ends the process at that operation.
	countdown int
}

// told begins an operation that only says something.
const told = "told "

// errKilled is what a killed process ends with: nothing after it is done.
var errKilled = errors.New("killed")

func (w *world) op(name string) error {
	w.log = append(w.log, name)
	if w.countdown > 0 {
		if w.countdown--; w.countdown == 0 {
			panic(errKilled)
		}
	}
	return w.failing[name]
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, root: labRoot(t), units: map[string]*Unit{}, owners: map[string]int{}, failing: map[string]error{}}
	for _, name := range []string{"kube-apiserver.service", "kube-controller-manager.service", "kube-scheduler.service", nginxUnit, etcdUnit} {
		u, err := Tree{w.root}.Unit(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		u.Active, u.Enabled = "active", "enabled"
		w.units[name] = &u
	}
	w.units[OwnUnit] = &Unit{Name: OwnUnit, Active: "inactive", Enabled: "disabled"}
	put(t, w.root, "/var/lib/kubernetes/ca-key.pem", "secret")
	return w
}

func (w *world) Unit(_ context.Context, name string) (Unit, error) {
	u, ok := w.units[name]
	if !ok {
		return Unit{}, &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
	}
	return *u, nil
}

func (w *world) change(ctx context.Context, verb, name string, set func(*Unit)) error {
	if err := errors.Join(w.op(verb+" "+name), context.Cause(ctx)); err != nil {
		return err
	}
	set(w.units[name])
	return nil
}

func (w *world) Start(ctx context.Context, name string) error {
	if name == OwnUnit && w.units["kube-apiserver.service"].Active == "active" {
		w.t.Errorf("%s is started beside kube-apiserver.service", OwnUnit)
	}
	return w.change(ctx, "start", name, func(u *Unit) { u.Active = "active" })
}

func (w *world) Stop(ctx context.Context, name string) error {
	return w.change(ctx, "stop", name, func(u *Unit) { u.Active = "inactive" })
}

func (w *world) Enable(ctx context.Context, name string) error {
	return w.change(ctx, "enable", name, func(u *Unit) { u.Enabled = "enabled" })
}

func (w *world) Disable(ctx context.Context, name string) error {
	return w.change(ctx, "disable", name, func(u *Unit) { u.Enabled = "disabled" })
}

func (w *world) Reload(ctx context.Context, name string) error {
	return w.change(ctx, "reload", name, func(*Unit) {})
}

// serving reports who serves.
func (w *world) serving() string {
	for _, name := range []string{OwnUnit, "kube-apiserver.service"} {
		if w.units[name].Active == "active" {
			return name
		}
	}
	return ""
}

// adopter is a new process.
func (w *world) adopter() *Adopter {
	key := filepath.Join(w.root, "/var/lib/kubernetes/ca-key.pem")
	return &Adopter{
		Manager: w, Store: Store{filepath.Join(w.root, "var/lib/record")},
		ConfigPath: filepath.Join(w.root, "/etc/kubernetes/config/khw-controller.yaml"),
		Own:        []string{filepath.Join(w.root, "/var/lib/kubernetes/khw-controller.lock")},
		UID:        4711, Timeout: 10 * time.Millisecond, Told: func(line string) { _ = w.op(told + line) },
		chown: func(path string, uid int) error {
			if err := w.op("chown"); err != nil {
				return err
			}
			w.owners[path] = uid
			return nil
		},
		Check: func(_ context.Context, insteadOf []string) (Findings, error) {
			if want := "kube-apiserver kube-controller-manager kube-scheduler"; !strings.HasPrefix(strings.Join(insteadOf, " "), want) {
				w.t.Errorf("the check is told of %v", insteadOf)
			}
			found := Findings{Stops: w.stops}
			if w.owners[key] != 4711 {
				found.Stops, found.Denied = append(found.Stops, "denied"), []string{key}
			}
			return found, w.op("check")
		},
		Verify: func(_ context.Context, config string) (map[string]string, error) {
			if _, err := os.Stat(config); err != nil {
				return nil, err
			}
			failed := map[string]string{"etcd members": "one is away"} // before, as after
			switch w.serving() {
			case "":
				failed[serves] = "refused"
			case "kube-apiserver.service":
				maps.Copy(failed, w.old)
			case OwnUnit:
				maps.Copy(failed, w.verdict)
				put(w.t, w.root, "/var/lib/kubernetes/khw-controller.lock", "x")
			}
			return failed, w.op("verify")
		},
	}
}

// state is everything that adopting may change.
func (w *world) state() map[string]string {
	all := tree(w.t, w.root)
	maps.DeleteFunc(all, func(path, _ string) bool { return strings.HasPrefix(path, filepath.Join(w.root, "var/lib/record")) })
	for name, u := range w.units {
		all[name] = u.Active + " " + u.Enabled
	}
	for path, uid := range w.owners {
		if uid != os.Geteuid() {
			all["owner of "+path] = fmt.Sprint(uid)
		}
	}
	return all
}

func (w *world) mustBe(what string, want map[string]string) {
	w.t.Helper()
	got := w.state()
	for name := range got {
		if got[name] != want[name] {
			w.t.Errorf("%s: %s is %q, want %q", what, name, got[name], want[name])
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			w.t.Errorf("%s: %s is gone", what, name)
		}
	}
}

func (w *world) read() *Controller {
	w.t.Helper()
	if w.controller != nil {
		return w.controller
	}
	c, err := Read(context.Background(), w, w.root)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, path := range c.Health.links {
		c.Health.links[i] = filepath.Join(w.root, path)
	}
	return c
}

// apply does as the command does: what is gone on with is not read again.
func (w *world) apply() error {
	var c *Controller
	state, err := w.adopter().Interrupted()
	if err != nil {
		return err
	}
	if state == "" || state == Written {
		c = w.read()
	}
	return w.adopter().Apply(context.Background(), c)
}

func (w *world) mustApply() {
	w.t.Helper()
	if err := w.apply(); err != nil {
		w.t.Fatal(err)
	}
}

// mustBeAdopted wants our unit to be the only one of all that runs and is enabled.
func (w *world) mustBeAdopted() {
	w.t.Helper()
	for name, u := range w.units {
		want := "inactive disabled"
		if name == OwnUnit || name == etcdUnit {
			want = "active enabled"
		}
		if got := u.Active + " " + u.Enabled; got != want {
			w.t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if w.owners[filepath.Join(w.root, "/var/lib/kubernetes/ca-key.pem")] != 4711 {
		w.t.Error("the key does not belong to the service's user")
	}
}

func TestApplyAndUndo(t *testing.T) {
	w := newWorld(t)
	before := w.state()
	w.mustApply()
	w.mustBeAdopted()
	var order []string
	for _, op := range w.log {
		if strings.HasPrefix(op, "stop") || strings.HasPrefix(op, "start") {
			order = append(order, op)
		}
	}
	want := []string{"stop kube-scheduler.service", "stop kube-controller-manager.service", "stop nginx.service", "stop kube-apiserver.service", "start khw-controller.service"}
	if !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
	if err := w.apply(); err == nil || !strings.Contains(err.Error(), "was adopted on") {
		t.Errorf("a second time: %v", err)
	}
	if err := w.adopter().Undo(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.mustBe("after an undo", before)
	if err := w.adopter().Undo(context.Background()); err == nil || !strings.Contains(err.Error(), "nothing was adopted") {
		t.Errorf("a second undo: %v", err)
	}
}

// TestUnitsThatWereNotEnabled restores those too as they were.
func TestUnitsThatWereNotEnabled(t *testing.T) {
	w := newWorld(t)
	w.units["kube-scheduler.service"].Enabled = "disabled"
	w.units[OwnUnit].Enabled = "enabled"
	before := w.state()
	w.mustApply()
	if err := w.adopter().Undo(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.mustBe("after an undo", before)
}

// TestGoesBackByItself has each operation fail once.
func TestGoesBackByItself(t *testing.T) {
	t.Parallel()
	good := newWorld(t)
	controller := good.read()
	good.mustApply()
	for _, op := range slices.Compact(slices.Sorted(slices.Values(good.log))) {
		if op == "verify" || strings.HasPrefix(op, told) {
			continue
		}
		t.Run(op, func(t *testing.T) {
			w := newWorld(t)
			w.controller = controller
			before := w.state()
			w.failing[op] = errors.New("on purpose")
			err := w.apply()
			if err == nil || !strings.Contains(err.Error(), "on purpose") {
				t.Fatalf("got %v", err)
			}
			if op == "chown" { // neither given nor taken back
				return
			}
			if !strings.Contains(err.Error(), "as it was") {
				t.Errorf("got %v", err)
			}
			w.mustBe("after "+op+" failed", before)
			delete(w.failing, op)
			w.mustApply()
			w.mustBeAdopted()
		})
	}
}

func TestGoesBackWhenVerificationFails(t *testing.T) {
	w := newWorld(t)
	before := w.state()
	w.verdict = map[string]string{"health proxy": "it says no"}
	if err := w.apply(); err == nil || !strings.Contains(err.Error(), "health proxy failed: it says no") || !strings.Contains(err.Error(), "as it was") {
		t.Fatalf("got %v", err)
	}
	w.mustBe("after it went back", before)
}

func TestGoesBackWhenTheChecksFail(t *testing.T) {
	w := newWorld(t)
	before := w.state()
	w.stops = []string{"ca.pem: is damaged; mend it"}
	if err := w.apply(); err == nil || !strings.Contains(err.Error(), "ca.pem: is damaged") {
		t.Fatalf("got %v", err)
	}
	w.mustBe("after it went back", before)
	if slices.Contains(w.log, "stop kube-scheduler.service") {
		t.Error("something was stopped")
	}
}

func TestGoesBackWhenInterrupted(t *testing.T) {
	w := newWorld(t)
	before := w.state()
	ctx, cancel := context.WithCancelCause(context.Background())
	a := w.adopter()
	a.Told = func(line string) {
		if line == "stopping kube-apiserver.service" {
			cancel(errors.New("interrupted"))
		}
	}
	if err := a.Apply(ctx, w.read()); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("got %v", err)
	}
	w.mustBe("after it was interrupted", before)
}

// killed runs f, which ends at the n-th operation as a killed process does, and
// reports whether it got there.
func (w *world) killed(n int, f func() error) (did bool) {
	w.t.Helper()
	w.countdown = n
	defer func() { w.countdown = 0 }()
	defer func() {
		r := recover()
		if err, ok := r.(error); ok && errors.Is(err, errKilled) {
			did = true
		} else if r != nil {
			panic(r)
		}
	}()
	if err := f(); err != nil {
		w.t.Fatal(err)
	}
	return false
}

// TestKilledAtEachOperation kills an adoption at each of its operations: it can be
// gone on with, and gone back from, and either may be killed too.
func TestKilledAtEachOperation(t *testing.T) {
	t.Parallel() // it waits for the disk most of the time
	n, controller := 1, newWorld(t).read()
	for ; ; n++ {
		w := newWorld(t)
		w.controller = controller
		if !w.killed(n, w.apply) {
			break
		}
		w.killed(6, w.apply)
		w.mustGoOn()
		w.mustBeAdopted()

		back := newWorld(t)
		back.controller = controller
		before := back.state()
		back.killed(n, back.apply)
		if state, err := back.adopter().Interrupted(); err != nil || state == Adopted {
			t.Fatalf("killed at %d: %s, %v", n, state, err)
		} else if state == "" {
			back.mustBe(fmt.Sprintf("killed at %d, before anything", n), before)
			continue
		}
		undo := func() error { return back.adopter().Undo(context.Background()) }
		if back.killed(3, undo) {
			if err := back.apply(); err == nil || !strings.Contains(err.Error(), "--undo finishes it") {
				t.Errorf("killed at %d, adopting in an undo: %v", n, err)
			}
			if err := undo(); err != nil {
				t.Fatal(err)
			}
		}
		back.mustBe(fmt.Sprintf("killed at %d, undone", n), before)
	}
	if n < 25 {
		t.Errorf("there were %d operations only", n)
	}
}

// mustGoOn goes on, unless what was killed had come to its end.
func (w *world) mustGoOn() {
	w.t.Helper()
	if err := w.apply(); err != nil && !strings.Contains(err.Error(), "was adopted on") {
		w.t.Fatal(err)
	}
}

func TestWriteThenApply(t *testing.T) {
	w := newWorld(t)
	before := w.state()
	path := filepath.Join(w.root, "/etc/kubernetes/config/khw-controller.yaml")
	for range 2 {
		if err := w.adopter().Write(w.read()); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(data, w.read().Config) {
		t.Fatalf("%v: %s", err, data)
	}
	// What was edited is kept, and used.
	edited := slices.Concat(data, []byte("snapshot-keep: 7\n"))
	if err := os.WriteFile(path, edited, 0o644); err != nil {
		t.Fatal(err)
	}
	w.verdict = map[string]string{"x": "no"}
	if err := w.apply(); err == nil {
		t.Fatal("it was adopted")
	}
	written := maps.Clone(before)
	written[path] = string(edited)
	w.mustBe("after it went back", written)
	w.verdict = nil
	w.mustApply()
	w.mustBeAdopted()
	if err := w.adopter().Undo(context.Background()); err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(path + ".*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept: %q, %v", kept, err)
	}
	before[kept[0]] = string(edited)
	w.mustBe("after an undo", before)
}

// TestOtherUnitsThanBefore writes anew what nobody has edited.
func TestOtherUnitsThanBefore(t *testing.T) {
	w := newWorld(t)
	if err := w.adopter().Write(w.read()); err != nil {
		t.Fatal(err)
	}
	put(t, w.root, "/etc/systemd/system/kube-scheduler.service", "[Service]\nExecStart=/a/kube-scheduler --config=/etc/x.yaml --v=2\n")
	if err := w.adopter().Write(w.read()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(w.root, "/etc/kubernetes/config/khw-controller.yaml"))
	if err != nil || !bytes.Contains(data, []byte("config=/etc/x.yaml")) {
		t.Errorf("%v: %s", err, data)
	}
}

func TestThePackagesConfigIsReplacedAndPutBack(t *testing.T) {
	w := newWorld(t)
	put(t, w.root, "/etc/kubernetes/config/khw-controller.yaml", string(config.Example()))
	before := w.state()
	w.mustApply()
	if err := w.adopter().Undo(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.mustBe("after an undo", before)
}

func TestSomebodysConfigIsLeft(t *testing.T) {
	w := newWorld(t)
	put(t, w.root, "/etc/kubernetes/config/khw-controller.yaml", "# mine\n\nv: 4\n")
	before := w.state()
	for name, f := range map[string]func() error{"write": func() error { return w.adopter().Write(w.read()) }, "apply": w.apply} {
		if err := f(); err == nil || !strings.Contains(err.Error(), "khw-controller.yaml:3: has settings already") {
			t.Errorf("%s: %v", name, err)
		}
		w.mustBe(name, before)
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world)
		says   string
	}{
		"runs already":       {func(w *world) { w.units[OwnUnit].Active = "active" }, "runs it already"},
		"not installed":      {func(w *world) { delete(w.units, OwnUnit) }, "install the package"},
		"a unit is stopped":  {func(w *world) { w.units["kube-scheduler.service"].Active = "failed" }, "kube-scheduler.service is failed"},
		"cannot be verified": {func(w *world) { w.failing["verify"] = errors.New("no kubeconfig") }, "no kubeconfig"},
		"does not serve":     {func(w *world) { w.old = map[string]string{serves: "it is refused"} }, "does not serve, and adopt takes over one that does: it is refused"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w)
			before := w.state()
			if err := w.apply(); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			w.mustBe("refused", before)
			if state, err := w.adopter().Interrupted(); err != nil || state != "" {
				t.Errorf("recorded: %s, %v", state, err)
			}
		})
	}
}

// TestNginxGoesOn has other sites keep it.
func TestNginxGoesOn(t *testing.T) {
	for name, site := range map[string]string{"shop": shop, "far": far} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			enable(t, w.root, name, site)
			before := w.state()
			w.mustApply()
			if got := w.units[nginxUnit]; got.Active != "active" || got.Enabled != "enabled" {
				t.Errorf("nginx is %s, %s", got.Active, got.Enabled)
			}
			_, err := os.Lstat(filepath.Join(w.root, siteLink))
			if gone := errors.Is(err, fs.ErrNotExist); gone != (name == "far") {
				t.Errorf("the site for health checks: %v", err)
			}
			if err := w.adopter().Undo(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.mustBe("after an undo", before)
		})
	}
}

func TestSomebodyElsesRecordIsNotTrusted(t *testing.T) {
	w := newWorld(t)
	w.mustApply()
	if err := os.Chmod(w.adopter().Store.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := w.adopter().Undo(context.Background()); err == nil || !strings.Contains(err.Error(), "cannot be trusted") {
		t.Errorf("got %v", err)
	}
}

func TestOneAtATime(t *testing.T) {
	s := Store{filepath.Join(t.TempDir(), "record")}
	unlock, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock(); err == nil || !strings.Contains(err.Error(), "another khw-controller adopt") {
		t.Errorf("got %v", err)
	}
	unlock()
	if _, err := os.Stat(s.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

func TestSkew(t *testing.T) {
	for theirs, fits := range map[string]bool{"v1.37.2": true, "v1.36.0": true, "v1.37.9+khw": true, "v1.35.0": false, "v1.38.0": false, "v1.10.2": false, "hello": false} {
		if err := CheckSkew(theirs, "v1.37.2+khw"); (err == nil) != fits {
			t.Errorf("%s: %v", theirs, err)
		}
	}
}

func TestServiceCommand(t *testing.T) {
	root := t.TempDir()
	put(t, root, "/lib/systemd/system/khw-controller.service", "[Service]\nEnvironment=KHW_FLAGS=\nExecStart=/usr/bin/khw-controller run $KHW_FLAGS\nUser=u\nType=notify\nProtectHome=yes\nRestart=always\n")
	put(t, root, "/etc/systemd/system/khw-controller.service.d/f.conf", "[Service]\nEnvironment=\"KHW_FLAGS=--v=1 --x\"\n")
	s, err := ReadService(context.Background(), Tree{root}, root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"systemd-run", "--quiet", "--pipe", "--wait", "--collect",
		"--property=Environment=KHW_FLAGS=", "--property=User=u", "--property=ProtectHome=yes", `--property=Environment="KHW_FLAGS=--v=1 --x"`,
		"--", "/usr/bin/khw-controller", "check", "a$$b", "--v=1", "--x"}
	if got := s.Command("check", "a$b"); !slices.Equal(got, want) || s.User() != "u" {
		t.Errorf("got %q as %s", got, s.User())
	}
}
