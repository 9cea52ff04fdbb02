// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// answerTimeout is what a controller may take to answer; a report takes 0.4 s.
const answerTimeout = 900 * time.Millisecond

// ask asks this controller and, with --all, the others it knows.
func (c *command) ask(ctx context.Context) ([]answer, error) {
	own, err := c.askHere(ctx)
	if err != nil || !c.all {
		return []answer{own}, err
	}
	if own.Report == nil {
		own.reason = fmt.Errorf("%w; the other controllers are not known without it, run this on one of them", own.reason)
		return []answer{own}, nil
	}
	others := slices.DeleteFunc(slices.Clone(own.Controllers), func(address string) bool { return address == own.Address })
	answers := make([]answer, len(others))
	config, err := c.admin()
	var wg sync.WaitGroup
	for i, address := range others {
		wg.Go(func() {
			if err != nil {
				answers[i] = down(address, err)
				return
			}
			answers[i] = askThere(ctx, config, address)
		})
	}
	wg.Wait()
	return append([]answer{own}, answers...), nil
}

// askHere asks this controller. An error means that it may not be asked, which
// says nothing of how it is.
func (c *command) askHere(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	socket := paths.StatusSocket.Below(c.root)
	r, err := status.AskSocket(ctx, socket)
	if err == nil {
		return answer{Report: r}, nil
	}
	switch reason, _ := connerr.Explain(err); {
	case errors.Is(err, fs.ErrPermission):
		return answer{}, fmt.Errorf("%s: only its owner and root may ask; use sudo", socket)
	case errors.Is(err, fs.ErrNotExist), reason == connerr.Refused:
		return unserved(c.root), nil
	case reason == connerr.NoAnswer:
		return silent(thisController, whySilent(c.root)), nil
	}
	return silent(thisController, fmt.Errorf("%s: %w", socket, err)), nil
}

// admin returns how the other controllers are asked.
func (c *command) admin() (*restclient.Config, error) {
	path := c.kubeconfig
	if path == "" {
		path = paths.AdminKubeconfig.Below(c.root)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("it cannot be asked without the admin's kubeconfig; name it with --kubeconfig: %w", err)
	}
	return config, nil
}

// askThere asks another controller through its apiserver.
func askThere(ctx context.Context, config *restclient.Config, address string) answer {
	own := restclient.CopyConfig(config)
	own.Host = "https://" + address
	client, err := restclient.HTTPClientFor(own)
	if err != nil {
		return down(address, err)
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	r, err := status.Ask(ctx, client, own.Host+status.Path)
	if err == nil {
		return answer{Report: r}
	}
	switch reason, words := connerr.Explain(err); reason {
	case connerr.NoAnswer:
		return silent(address, fmt.Errorf("nothing came back within %s: it is slow, cut off from here, or down", answerTimeout))
	case connerr.Refused, connerr.NoRoute, connerr.NoSuchHost:
		return down(address, errors.New("it "+words))
	}
	return silent(address, err)
}

func (c *command) showJSON(out io.Writer, answers []answer) error {
	all := make([]any, 0, len(answers))
	for _, a := range answers {
		all = append(all, a.document())
	}
	var v any = all
	if !c.all {
		v = all[0]
	}
	if c.watch {
		return json.NewEncoder(out).Encode(v)
	}
	return cli.WriteJSON(out, v)
}
