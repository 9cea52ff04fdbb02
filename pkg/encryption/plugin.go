// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	kmsv2 "k8s.io/kms/apis/v2"
	kmsutil "k8s.io/kms/pkg/util"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// Plugin is a KMS plugin: its name in the configuration, its socket, and the version
// of the interface that it is asked by, v1 or v2.
type Plugin struct{ Name, Socket, Version string }

// Plugins lists the KMS plugins.
func (c *Config) Plugins() []Plugin {
	var all []Plugin
	for _, r := range c.document.Resources {
		for _, provider := range r.Providers {
			settings, _ := provider[KMS].(map[string]any)
			endpoint, _ := settings["endpoint"].(string)
			socket, err := kmsutil.ParseEndpoint(endpoint)
			of := ofSettings(KMS, settings)[0]
			if err != nil || of.Key == "" {
				continue // refused by the apiserver's own evaluation
			}
			if p := (Plugin{of.Key, socket, of.Version}); !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// Silent is a KMS plugin with which something is wrong, in words that follow its name.
type Silent struct {
	Plugin
	Problem string
}

// AskPlugins asks all KMS plugins at once, and returns those with which something is
// wrong.
func (c *Config) AskPlugins(ctx context.Context) []Silent {
	var all []Silent
	for _, p := range c.Plugins() {
		all = append(all, Silent{Plugin: p})
	}
	var asked sync.WaitGroup
	for i := range all {
		asked.Go(func() { all[i].Problem = all[i].Ask(ctx) })
	}
	asked.Wait()
	return slices.DeleteFunc(all, func(s Silent) bool { return s.Problem == "" })
}

// Ask asks the plugin for its status, as the apiserver does, and returns what is wrong
// with it in words that follow its name, or "". Of version v1 only the socket is tried:
// upstream has deprecated it, and it tells no status. The context bounds it.
func (p Plugin) Ask(ctx context.Context) string {
	// A socket that is not there is told apart from one that nobody serves: gRPC would
	// try both until the context ends.
	conn, err := dial(ctx, p.Socket)
	if err != nil {
		_, words := connerr.Explain(err)
		if errors.Is(err, fs.ErrNotExist) {
			words = "is not there"
		}
		return "has the socket " + p.Socket + ", which " + words
	}
	conn.Close()
	if p.Version == "v1" {
		return ""
	}
	client, err := grpc.NewClient("passthrough:///"+p.Socket, grpc.WithAuthority("localhost"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dial))
	if err != nil {
		return connerr.OneLine(err)
	}
	defer client.Close()
	problem, err := askStatus(ctx, client)
	switch {
	case status.Code(err) == codes.Unimplemented:
		problem = "does not speak version " + p.Version + " of the KMS interface, which the configuration says"
	case err != nil:
		_, problem = connerr.Explain(err)
	}
	return problem
}

func dial(ctx context.Context, socket string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", socket)
}

// askStatus judges the status as the apiserver does (k8s.io/apiserver,
// pkg/server/options/encryptionconfig, isKMSv2ProviderHealthyAndMaybeRotateDEK).
func askStatus(ctx context.Context, conn grpc.ClientConnInterface) (problem string, err error) {
	answer, err := kmsv2.NewKeyManagementServiceClient(conn).Status(ctx, &kmsv2.StatusRequest{})
	switch {
	case err != nil:
	case answer.Version != "v2" && answer.Version != "v2beta1":
		problem = fmt.Sprintf("speaks version %q of the KMS interface, and the configuration says v2", answer.Version)
	case answer.Healthz != "ok":
		problem = "says that it is not healthy: " + strings.Join(strings.Fields(answer.Healthz), " ")
	case answer.KeyId == "":
		problem = "does not say with which key it encrypts"
	}
	return problem, err
}
