// SPDX-License-Identifier: Apache-2.0

package lbaws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// moto is moto's server, an emulator of AWS that is not ours.
type moto struct {
	*harness.Env
	endpoint string
}

// program is one that hack/install-test-deps installs, or has said why it cannot.
// Where it is missing, the test fails.
func program(e *harness.Env, name string) string {
	e.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = filepath.Abs("../../../bin/moto/bin/" + name)
		e.Must(err)
	}
	if _, err := os.Stat(path); err != nil {
		e.Fatalf("%v; run hack/install-test-deps", err)
	}
	return path
}

// startMoto starts moto's server.
func startMoto(e *harness.Env) *moto {
	e.Helper()
	program := program(e, "moto_server")
	ports, err := process.FreePorts(1)
	e.Must(err)
	m := &moto{Env: e, endpoint: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	p := e.Start("moto", process.Spec{Path: program, Args: []string{"-H", "127.0.0.1", "-p", strconv.Itoa(ports[0])}})
	e.WithinAlive(p, harness.Patience, "moto_server to answer", func(ctx context.Context) error {
		_, err := m.post(ctx, "/moto-api/reset", "")
		return err
	})
	return m
}

// in is the same server for a part of the test.
func (m *moto) in(t *testing.T) *moto {
	return &moto{Env: &harness.Env{T: t, Dir: m.Dir}, endpoint: m.endpoint}
}

// post sends a body as moto's own API wants it, or with a form as AWS's does.
func (m *moto) post(ctx context.Context, path, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.endpoint+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if strings.Contains(body, "Action=") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		// moto finds the service in the credentials' scope.
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", path, resp.Status, answer)
	}
	return string(answer), err
}

// iam calls an action of IAM and returns its XML.
func (m *moto) iam(action string, parameters ...string) string {
	m.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	answer, err := m.post(m.Context(), "/", form.Encode())
	m.Must(err)
	return answer
}

// enforce has moto check signatures and policies from now on.
func (m *moto) enforce(on bool) {
	m.Helper()
	after := "inf"
	if on {
		after = "0"
	}
	_, err := m.post(m.Context(), "/moto-api/reset-auth", after)
	m.Must(err)
}

// account is one region of moto's account, with the clients that the lab's
// earlier chapters are done with.
type account struct {
	*moto
	region     string
	key, token string
	ec2        *ec2.Client
	elb        *elasticloadbalancing.Client
	elbv2      *elasticloadbalancingv2.Client
}

func (m *moto) account(region string) *account {
	config := awssdk.Config{
		Region:       region,
		BaseEndpoint: &m.endpoint,
		Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
	return &account{
		moto: m, region: region, key: "test", token: "test",
		ec2: ec2.NewFromConfig(config), elb: elasticloadbalancing.NewFromConfig(config), elbv2: elasticloadbalancingv2.NewFromConfig(config),
	}
}

// result is how a run of khw-controller ended.
type result struct {
	code        int
	out, errOut string
}

// lb runs `khw-controller lb --cloud aws`, without any terminal.
func (a *account) lb(args ...string) result {
	a.Helper()
	// The subcommand, if there is one, comes first.
	command := []string{"lb"}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = append(command, args[0]), args[1:]
	}
	return a.run(exec.CommandContext(a.Context(), a.Binary(), append(append(command, "--cloud", "aws"), args...)...))
}

// environment is that of a user of this account. The aws tool does not take an
// empty variable for one that is not set.
func (a *account) environment() []string {
	inherited := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(inherited,
		"HOME="+a.Dir, "AWS_CONFIG_FILE="+a.Path("none"), "AWS_SHARED_CREDENTIALS_FILE="+a.Path("none"),
		"AWS_ENDPOINT_URL="+a.endpoint, "AWS_REGION="+a.region, "AWS_DEFAULT_REGION="+a.region, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID="+a.key, "AWS_SECRET_ACCESS_KEY="+a.token)
}

// run runs a command as a user of this account.
func (a *account) run(cmd *exec.Cmd) result {
	a.Helper()
	cmd.Env = append(a.environment(), cmd.Env...)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		a.Must(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// mustLB is lb with an exit code, and with words that both outputs together have
// to contain.
func (a *account) mustLB(code int, words []string, args ...string) result {
	a.Helper()
	r := a.lb(args...)
	if r.code != code {
		a.Fatalf("lb %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.errOut)
	}
	for _, w := range words {
		if !strings.Contains(r.out+r.errOut, w) {
			a.Errorf("lb %s does not say %q:\n%s%s", strings.Join(args, " "), w, r.out, r.errOut)
		}
	}
	return r
}
