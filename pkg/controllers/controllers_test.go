// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	list, err := Parse([]string{"controller-0=10.240.0.10", " controller-1.example.com=::ffff:10.240.0.11", "controller-2=fd00::12"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := list.String(), "controller-0=10.240.0.10,controller-1.example.com=10.240.0.11,controller-2=fd00::12"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for items, says := range map[string]string{
		"controller-0":                           "want name=address",
		"":                                       "want name=address",
		"=10.240.0.10":                           "not a hostname",
		"controller_0=10.240.0.10":               "not a hostname",
		"Controller=10.240.0.10":                 "not a hostname",
		"a=controller-0.example.com":             "names are not looked up",
		"a=10.240.0.10:2380":                     "not an IP address",
		"a=10.240.0.0/24":                        "not an IP address",
		"a=127.0.0.1":                            "cannot reach",
		"a=::1":                                  "cannot reach",
		"a=0.0.0.0":                              "cannot reach",
		"a=169.254.1.1":                          "cannot reach",
		"a=fe80::1%eth0":                         "cannot reach",
		"a=224.0.0.1":                            "cannot reach",
		"a=10.240.0.10,a=10.240.0.11":            "same name",
		"a=10.240.0.10,b=10.240.0.10":            "same address",
		"a=10.240.0.10,b=::ffff:10.240.0.10":     "same address",
		"a=10.240.0.10,b=10.240.0.11,c=10.240.0": "not an IP address",
	} {
		if list, err := Parse(strings.Split(items, ",")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, %v, want an error with %q", items, list, err, says)
		}
	}
}

func TestSelf(t *testing.T) {
	list, err := Parse([]string{"controller-0=10.240.0.10", "controller-1=10.240.0.11", "controller-2.example.com=fd00::12"})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		addresses      []string
		hostname, want string
		says           string
	}{
		"by its address":                {addresses: []string{"127.0.0.1", "10.240.0.11"}, hostname: "elsewhere", want: "controller-1"},
		"by its hostname":               {addresses: []string{"127.0.0.1"}, hostname: "controller-0", want: "controller-0"},
		"by both":                       {addresses: []string{"fd00::12"}, hostname: "controller-2.example.com", want: "controller-2.example.com"},
		"by the first label":            {hostname: "controller-0.example.com", want: "controller-0"},
		"by a short hostname":           {hostname: "Controller-2", want: "controller-2.example.com"},
		"another domain":                {hostname: "controller-2.example.org", says: "is none of"},
		"neither":                       {addresses: []string{"10.0.0.1"}, hostname: "worker-0", says: `its hostname is "worker-0"`},
		"the one's address, one's name": {addresses: []string{"10.240.0.10"}, hostname: "controller-1", says: "address of controller-0=10.240.0.10 but the hostname of controller-1"},
		"two addresses":                 {addresses: []string{"10.240.0.10", "10.240.0.11"}, hostname: "controller-0", says: "one controller is one machine"},
	} {
		t.Run(name, func(t *testing.T) {
			var addresses []netip.Addr
			for _, a := range test.addresses {
				addresses = append(addresses, netip.MustParseAddr(a))
			}
			got, err := list.Self(addresses, test.hostname)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v, %v, want an error with %q", got, err, test.says)
				}
				return
			}
			if err != nil || got.Name != test.want {
				t.Errorf("got %v, %v, want %s", got, err, test.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("controller-0=10.240.0.10,controller-1=10.240.0.11")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := Parse(strings.Split(s, ","))
		if err != nil {
			return
		}
		again, err := Parse(strings.Split(list.String(), ","))
		if err != nil || again.String() != list.String() {
			t.Errorf("%q became %q, %v", list, again, err)
		}
	})
}
