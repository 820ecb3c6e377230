#!/usr/bin/env bash
# Installs the S3 server that the store's tests talk to: Ceph's monitor, storage daemon and gateway, from Debian.
#
# May be run again and again: does only what is still to be done. As root, or through a sudo that does not ask; where
# that is not possible it says what to install, and fails. No service is started: the tests start their own.
#
# With --second it builds VersityGW as well (Go fetches it; some minutes), for soak runs: build/s3/versitygw.
set -euo pipefail

packages=()
command -v ceph-mon >/dev/null || packages+=(ceph-mon)
command -v ceph-osd >/dev/null || packages+=(ceph-osd)
command -v radosgw >/dev/null || packages+=(radosgw)
command -v ceph >/dev/null || packages+=(ceph-common)
command -v monmaptool >/dev/null || packages+=(ceph-common)

if [ ${#packages[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "s3: needs what Debian calls: ${packages[*]}; this system has no apt-get, install them by hand" >&2
    exit 1
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      echo "s3: needs Debian packages; run as root: apt-get install ${packages[*]}" >&2
      exit 1
    fi
  fi
  echo "s3: installing ${packages[*]}"
  install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends)
  if ! "${install[@]}" "${packages[@]}" >/dev/null 2>&1; then
    "${as_root[@]}" apt-get update -qq # the package lists were absent or old
    "${install[@]}" "${packages[@]}" >/dev/null
  fi
fi

echo "s3: $(radosgw --version)"

if [ "${1:-}" = --second ]; then
  built=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build/s3
  command -v go >/dev/null || { echo "s3: building VersityGW takes Go" >&2; exit 1; }
  [ -x "$built/versitygw" ] || GOBIN=$built go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
  echo "s3: VersityGW 1.8.0"
fi
