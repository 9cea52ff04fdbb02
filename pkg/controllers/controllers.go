// SPDX-License-Identifier: Apache-2.0

// Package controllers is the list of a cluster's controllers, as
// `--controllers` has it, and which of them this machine is.
package controllers

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Controller is one machine of the control plane, by its hostname and the address
// at which the others reach it: controller-0 and 10.240.0.10 in lab chapter 03.
type Controller struct {
	Name    string
	Address netip.Addr
}

// String returns name=address.
func (c Controller) String() string { return c.Name + "=" + c.Address.String() }

// List is every controller of a cluster, in the order it was written in.
type List []Controller

// String returns what Parse reads.
func (l List) String() string {
	items := make([]string, len(l))
	for i, c := range l {
		items[i] = c.String()
	}
	return strings.Join(items, ",")
}

// Parse reads items of the form name=address. A name or an address that is there
// twice, or that other machines cannot reach, is an error that names it.
func Parse(items []string) (List, error) {
	var list List
	for _, item := range items {
		c, err := parse(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		for _, other := range list {
			switch {
			case other.Name == c.Name:
				return nil, fmt.Errorf("%s and %s have the same name; each controller has a hostname of its own", other, c)
			case other.Address == c.Address:
				return nil, fmt.Errorf("%s and %s have the same address; each controller has one of its own", other, c)
			}
		}
		list = append(list, c)
	}
	return list, nil
}

func parse(item string) (Controller, error) {
	name, address, ok := strings.Cut(item, "=")
	if !ok {
		return Controller{}, fmt.Errorf("%q: want name=address, such as controller-0=10.240.0.10", item)
	}
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return Controller{}, fmt.Errorf("%q: %q is not a hostname: %s", item, name, problems[0])
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return Controller{}, fmt.Errorf("%q: %q is not an IP address; names are not looked up, because a start must not depend on DNS", item, address)
	}
	ip = ip.Unmap()
	if ip.Zone() != "" || ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() || ip.IsLinkLocalUnicast() {
		return Controller{}, fmt.Errorf("%q: other controllers cannot reach this one at %s", item, address)
	}
	return Controller{Name: name, Address: ip}, nil
}

// Addresses returns the address of each controller.
func (l List) Addresses() []netip.Addr {
	all := make([]netip.Addr, len(l))
	for i, c := range l {
		all[i] = c.Address
	}
	return all
}

// Self returns the controller that a machine with these addresses and this
// hostname is: the one whose address it has, else the one whose name it bears. It
// is an error when that is none, more than one, or one by its address and another
// by its name.
func (l List) Self(addresses []netip.Addr, hostname string) (Controller, error) {
	var byAddress, byName []Controller
	for _, c := range l {
		if slices.Contains(addresses, c.Address) {
			byAddress = append(byAddress, c)
		}
		if sameHost(c.Name, hostname) {
			byName = append(byName, c)
		}
	}
	switch {
	case len(byAddress) > 1:
		return Controller{}, fmt.Errorf("this machine has the addresses of %s and of %s; one controller is one machine", byAddress[0], byAddress[1])
	case len(byName) > 1:
		return Controller{}, fmt.Errorf("this machine's hostname %q is that of %s and of %s", hostname, byName[0], byName[1])
	case len(byAddress) == 1 && len(byName) == 1 && byAddress[0] != byName[0]:
		return Controller{}, fmt.Errorf("this machine has the address of %s but the hostname of %s; correct the list or the hostname", byAddress[0], byName[0])
	case len(byAddress) == 0 && len(byName) == 0:
		return Controller{}, fmt.Errorf("this machine is none of %s: it has neither of the addresses, and its hostname is %q", l, hostname)
	case len(byAddress) == 1:
		return byAddress[0], nil
	}
	return byName[0], nil
}

// sameHost compares hostnames without regard to case, and, where one of them is
// not fully qualified, by their first label only.
func sameHost(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	shortA, domainA, _ := strings.Cut(a, ".")
	shortB, domainB, _ := strings.Cut(b, ".")
	return shortA == shortB && cmp.Or(domainA, domainB) == cmp.Or(domainB, domainA)
}
