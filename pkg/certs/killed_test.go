// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// What the test's binary does when it is to be killed: a step, below a root.
const (
	stepVariable = "CERTS_TEST_STEP"
	rootVariable = "CERTS_TEST_ROOT"
)

// caSteps are those of a rotation, in their order, with the phases between them.
var caSteps = []struct {
	name        string
	from, leads Phase
	take        func(p *plan.Plan) (*Change, error)
}{
	{"begin", NotRotating, Trusting, func(p *plan.Plan) (*Change, error) { return BeginCARotation(p, nil, time.Now()) }},
	{"sign", Trusting, Signing, taken(signNow)},
	{"finish", Signing, NotRotating, taken((*CARotation).Finish)},
}

func taken(step caStep) func(p *plan.Plan) (*Change, error) {
	return func(p *plan.Plan) (*Change, error) {
		c, err := ReadCARotation(p)
		if err != nil {
			return nil, err
		}
		return step(c)
	}
}

func TestMain(m *testing.M) {
	name := os.Getenv(stepVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := takeStep(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// takeStep says that it is about to write, and does.
func takeStep(name string) error {
	p, err := plan.New(context.Background(), &config.Config{Root: os.Getenv(rootVariable), AdvertiseAddress: "192.0.2.10"})
	if err != nil {
		return err
	}
	for _, s := range caSteps {
		if s.name != name {
			continue
		}
		change, err := s.take(p)
		if err != nil {
			return err
		}
		fmt.Println("writing")
		return change.Write(time.Now())
	}
	return fmt.Errorf("there is no step %q", name)
}

// TestKilledCARotation kills each step at random moments, again and again: what is
// found is what was there before or what was to be there, complete, and the same step
// leads on.
func TestKilledCARotation(t *testing.T) {
	root := t.TempDir()
	p := planFor(t, root)
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(13, 4))
	const kills = 10
	for _, s := range caSteps {
		killed := 0
		for phase(t, p) == s.from {
			if killed == kills {
				putNext(t, p, s.take)
				break
			}
			kill(t, root, s.name, time.Duration(random.IntN(6000))*time.Microsecond)
			killed++
			if _, err := p.FinishChange(); err != nil {
				t.Fatal(err)
			}
			mustBeVerified(t, p, []byte(read(t, p.Files.CA)), true)
		}
		if phase(t, p) == Finished {
			putNext(t, p, s.take)
		}
		mustBe(t, p, s.leads)
		mustBeVerified(t, p, []byte(read(t, p.Files.CA)), true)
		t.Logf("%s was killed %d times", s.name, killed)
	}
}

func putNext(t *testing.T, p *plan.Plan, take func(*plan.Plan) (*Change, error)) {
	t.Helper()
	change, err := take(p)
	put(t, change, err)
}

func phase(t *testing.T, p *plan.Plan) Phase {
	t.Helper()
	return readCA(t, p).Phase
}

// kill takes a step in a process of its own, and kills that some time after it began
// to write.
func kill(t *testing.T, root, step string, after time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), stepVariable+"="+step, rootVariable+"="+root)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "writing\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	time.Sleep(after)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
