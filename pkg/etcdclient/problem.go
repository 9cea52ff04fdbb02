// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// Problem is what is wrong with a member, or with a file that one is reached
// with. It is an error.
type Problem struct {
	// Subject is the member's URL, or the file's path.
	Subject string
	// Reason is why the connection failed.
	Reason connerr.Reason
	// Text is what is wrong, in words that follow Subject.
	Text string
	// Fix is what to do about it.
	Fix string
}

// Error returns Subject and Text.
func (p *Problem) Error() string { return p.Subject + " " + p.Text }

// Explain returns what err, from reaching endpoint, means and what to do.
func (c Config) Explain(endpoint string, err error) *Problem {
	if file := (*Problem)(nil); errors.As(err, &file) {
		return file
	}
	reason, text := connerr.Explain(err)
	switch {
	case errors.Is(err, errNoQuorum):
		reason, text = connerr.NoAnswer, fmt.Sprintf("does not answer within %s; it may have no leader", MemberTimeout)
	case reason == connerr.NoAnswer:
		text = fmt.Sprintf("does not answer within %s", MemberTimeout)
	case reason == connerr.UnknownCA && c.CAFile != "":
		text += ", not by that of " + c.CAFile
	case reason == connerr.ClientCertRefused && c.CertFile != "":
		text += ": " + c.CertFile
	}
	return &Problem{endpoint, reason, text, fix(reason)}
}

func fix(reason connerr.Reason) string {
	switch reason {
	case connerr.Refused:
		return "start it: systemctl start etcd, or khw-controller where it is embedded; or correct --etcd-servers"
	case connerr.NoAnswer:
		return "see whether the machine and etcd there are up, whether tcp 2379 and 2380 are open between the controllers, and whether most members run"
	case connerr.NoSuchHost, connerr.NoRoute, connerr.NotTLS:
		return "correct --etcd-servers"
	case connerr.UnknownCA:
		return "point --kube-apiserver-arg etcd-cafile to the CA of this etcd"
	case connerr.WrongName, connerr.Expired, connerr.BadCertificate:
		return "make its certificate anew, for its address too, as in lab chapter 04; or set this machine's clock"
	case connerr.ClientCertRefused:
		return "point --kube-apiserver-arg etcd-certfile to a certificate of the CA that etcd trusts"
	}
	return "see etcd's log there: journalctl -u etcd, or journalctl -u khw-controller where it is embedded"
}

// unreadable is the problem of a file, or of the two of a key pair, that the
// flags named.
func unreadable(path string, err error, flags string) *Problem {
	text := "cannot be used: " + connerr.OneLine(err)
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		path, text = file.Path, "cannot be read: "+file.Err.Error()
	}
	return &Problem{path, connerr.File, text, "correct --kube-apiserver-arg " + flags + ", or run as a user who can read it"}
}
