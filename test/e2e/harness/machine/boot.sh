# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Boots a container: boot.sh NAME IMAGE DIR NETWORK-NAMESPACE, as the first process
# of a PID namespace and in a mount namespace of its own, so that nothing outlives
# it. Each container has control groups of its own, in which systemd can manage its
# units without meeting another container's.
set -eu
name=$1 image=$2 dir=$3 netns=$4
own=$(basename "$(dirname "$dir")")-$name # the test's directory is its alone
mkdir -p "$dir/upper" "$dir/work" "$dir/root" # again after a reboot
mount -t overlay overlay -o "lowerdir=$image,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
echo "$name" >"$dir/root/etc/hostname"
# By a name that is good when /proc is that of the new PID namespace.
touch "$dir/network"
mount --bind "$netns" "$dir/network"
mount -t proc proc /proc
while IFS=: read -r _ controllers group; do
  case $controllers in
    "") for top in /sys/fs/cgroup /sys/fs/cgroup/unified; do [ ! -e "$top/cgroup.procs" ] || break; done ;;
    name=systemd) top=/sys/fs/cgroup/systemd ;;
    *) continue ;;
  esac
  mkdir -p "$top/$group/$own"
  echo $$ >"$top/$group/$own/cgroup.procs"
  echo "$top/$group/$own"
done >"$dir/cgroups" <<GROUPS
$(cat /proc/self/cgroup)
GROUPS
exec systemd-nspawn --quiet --boot --register=no --keep-unit --network-namespace-path="$dir/network" \
  --directory="$dir/root" --machine="$name" --console=pipe --resolv-conf=off --timezone=off --link-journal=no </dev/null
