# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a worker: init.sh NAME DIR PROGRAMS, in namespaces of its own
# for everything but control groups. It gives the worker the paths that the lab has,
# and when it ends, so does everything that runs there.
set -eu
name=$1 dir=$2 programs=$3
echo "$name" >/proc/sys/kernel/hostname
mount --make-rshared /
# The network's view of /sys, with the control groups as they were.
mount --rbind /sys/fs/cgroup "$dir/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$dir/cgroup" /sys/fs/cgroup
# What the kubelet would set for the whole machine it finds set.
while read -r value path; do
  echo "$value" >"$dir/sysctl/${path##*/}"
  mount --bind "$dir/sysctl/${path##*/}" "/proc/sys/$path"
done <<SYSCTL
1 vm/overcommit_memory
10 kernel/panic
1 kernel/panic_on_oops
1000000 kernel/keys/root_maxkeys
25000000 kernel/keys/root_maxbytes
SYSCTL
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
mount -t tmpfs tmpfs /run
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$dir/etc,workdir=$dir/work" /etc
mount --bind "$programs" /usr/local/bin
mount --bind "$dir/var" /var # last: this machine's may hold $dir
echo up
# A shell reaps what nobody else waits for.
while :; do sleep 1; done
