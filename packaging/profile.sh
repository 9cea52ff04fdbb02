# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# kubectl, kube-apiserver, kube-controller-manager and kube-scheduler, as names of
# khw-controller. Last in the path: a kubectl of the distribution's, or your own,
# comes first.
case :$PATH: in
  *:/usr/lib/khw-controller/bin:*) ;;
  *) PATH=$PATH:/usr/lib/khw-controller/bin ;;
esac
