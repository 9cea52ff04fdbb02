// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"fmt"
	"io"
	"net"
	"strings"
	"text/template"

	"github.com/khw-controller/khw-controller/pkg/controllers"
)

// Balancer is a program that makes one address of several controllers.
type Balancer string

// The balancers whose configuration is known.
const (
	HAProxy    Balancer = "haproxy"
	Keepalived Balancer = "keepalived"
	KubeVIP    Balancer = "kube-vip"
)

// Balancers lists them.
func Balancers() []Balancer { return []Balancer{HAProxy, Keepalived, KubeVIP} }

// BalancerConfig is what a balancer is configured for.
type BalancerConfig struct {
	Controllers controllers.List
	// Address is the virtual address; haproxy needs none, and listens on all of its
	// machine.
	Address string
	// Interface is the network interface of the controllers that the virtual address
	// is put on.
	Interface string
}

// Write prints the configuration of a balancer.
func (c BalancerConfig) Write(w io.Writer, b Balancer) error {
	text, ok := map[Balancer]string{HAProxy: haproxyConfig, Keepalived: keepalivedConfig, KubeVIP: kubeVIPUnit}[b]
	if !ok {
		return fmt.Errorf("--print %q is not known; use haproxy, keepalived or kube-vip", b)
	}
	if len(c.Controllers) == 0 {
		return fmt.Errorf("--print %s: which controllers? Name them: --controllers controller-0=10.240.0.10,…", b)
	}
	if b != HAProxy && net.ParseIP(c.Address) == nil {
		return fmt.Errorf("--print %s: want the virtual IP address that the controllers are to share: --public-address 10.240.0.100", b)
	}
	if b != HAProxy && (c.Interface == "" || strings.ContainsAny(c.Interface, " \t\n\"{}")) {
		return fmt.Errorf("--print %s: want the network interface of the controllers for the virtual address: --interface eth0", b)
	}
	return template.Must(template.New(string(b)).Funcs(template.FuncMap{"host": hostPort, "bits": bits}).Parse(text)).Execute(w, c)
}

// Any is how all addresses of a machine are written, of the controllers' family.
func (c BalancerConfig) Any() string {
	if c.Controllers[0].Address.Is4() {
		return "*"
	}
	return "::"
}

// hostPort is where a controller's apiserver is reached.
func hostPort(c controllers.Controller) string {
	return net.JoinHostPort(c.Address.String(), fmt.Sprint(apiServerPort))
}

// bits are those of a single address.
func bits(address string) int {
	if net.ParseIP(address).To4() == nil {
		return 128
	}
	return 32
}

// haproxyConfig is for a machine of its own: on a controller, port 6443 is the
// apiserver's. A controller that stops says so on port 80 until this has heard it
// twice, its fall. It gets no more connections from the first time on, and keeps
// those that it has: it ends them itself, each after its last answer, where
// shutdown-sessions cuts off what is being answered. That is for one that is frozen,
// or away.
const haproxyConfig = `# /etc/haproxy/haproxy.cfg, on a machine that is no controller: port 6443 of those
# is the apiserver's.
defaults
    mode tcp
    option redispatch
    retries 3
    timeout connect 3s
    timeout check 3s
    # Watches and kubectl logs -f are quiet for long.
    timeout client 1h
    timeout server 1h

frontend kubernetes
    bind {{.Any}}:6443
    default_backend controllers

backend controllers
    balance roundrobin
    # A controller that stops, or that cannot serve, says so over plain HTTP on port 80.
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host kubernetes.default.svc.cluster.local
    # One that stops goes on with what it has begun.
    http-check expect error-status L7OKC ! string stopping
    http-check expect status 200
    default-server check port 80 inter 3s fall 2 rise 1 on-marked-down shutdown-sessions
{{- range .Controllers}}
    server {{.Name}} {{host .}}
{{- end}}
`

// keepalivedConfig is the same on every controller: without a priority of its own,
// the address stays where it is until that controller says no.
const keepalivedConfig = `# /etc/keepalived/keepalived.conf, the same on {{range $i, $c := .Controllers}}{{if $i}}, {{end}}{{$c.Name}}{{end}}. The address is
# on one of them: one whose port 80 says that it can serve.
global_defs {
    enable_script_security
    script_user nobody
}

vrrp_script healthz {
    script "/usr/bin/curl --fail --silent --max-time 3 --output /dev/null http://127.0.0.1:80/healthz"
    interval 3
    timeout 4
    fall 2
    rise 1
}

vrrp_instance kubernetes {
    state BACKUP
    nopreempt
    priority 100
    interface {{.Interface}}
    virtual_router_id 64
    advert_int 1
    virtual_ipaddress {
        {{.Address}}/{{bits .Address}} dev {{.Interface}}
    }
    track_script {
        healthz
    }
}
`

// kubeVIPUnit is a unit and no static pod: the lab's controllers run no kubelet. A
// kube-vip without an apiserver loses its lease and ends, and is not started again
// before port 80 says that there is one.
const kubeVIPUnit = `# /etc/systemd/system/kube-vip.service, the same on {{range $i, $c := .Controllers}}{{if $i}}, {{end}}{{$c.Name}}{{end}}: the lab's
# controllers run no kubelet, so kube-vip is a service and no static pod.
[Unit]
Description=kube-vip: {{.Address}} on one of the controllers
Documentation=https://kube-vip.io
Wants=network-online.target
After=network-online.target khw-controller.service

[Service]
# It is started when this controller can serve, and ends when it loses its lease
# because it cannot.
ExecStartPre=/usr/bin/curl --fail --silent --max-time 3 --output /dev/null http://127.0.0.1:80/healthz
ExecStart=/usr/local/bin/kube-vip manager
Restart=always
RestartSec=3
Environment=address={{.Address}} port=6443 vip_interface={{.Interface}} vip_subnet={{bits .Address}}
Environment=vip_arp=true cp_enable=true cp_namespace=kube-system vip_nodename=%l
Environment=vip_leaderelection=true vip_leasename=plndr-cp-lock vip_leaseduration=15 vip_renewdeadline=10 vip_retryperiod=2
Environment=k8s_config_file=/var/lib/kubernetes/admin.kubeconfig

[Install]
WantedBy=multi-user.target
`
