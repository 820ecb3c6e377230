#!/usr/bin/env bash
# Installs and builds the programs that judge what the archive writes, and says which versions they are.
#
#   BouncyCastle   apt: libbcprov-java, libbcpkix-java, libbcutil-java; the judge in bc/
#   EU DSS         Maven Central, as pinned in dss/pom.xml; the judges in dss/ and dss_signatures/
#   OpenAPI Generator  Maven Central, as pinned in generated_client/pom.xml: a client for Java, and a scenario that uses it
#   OpenSSL        apt: openssl
#   age            apt: age; opens backups
#   poppler        apt: poppler-utils (pdfsig)
#   systemd        apt: systemd; systemd-analyze judges the units in deploy/systemd
#   nginx          apt: nginx-light; stands before the server as in deploy/nginx
#   Glewlwyd       apt: its libraries; the OpenID provider itself is unpacked, not installed, so that no service begins
#   ApacheBench    apt: apache2-utils; asks us and nginx for the same files (benchmarks, line r)
#   OCFL           ocfl_env.sh, in an environment of its own
#   Ceph           ../s3/install.sh: the S3 server that the store's tests talk to
#
# May be run again and again: does only what is still to be done. Debian packages are installed as root (or
# through a sudo that does not ask); where that is not possible it says what to install, and fails.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
built=$(cd "$here/../.." && pwd)/build/interop
jars=/usr/share/java
class_path=$jars/bcprov.jar:$jars/bcpkix.jar:$jars/bcutil.jar

say() { echo "interop: $*"; }

packages=()
command -v javac >/dev/null || packages+=(default-jdk-headless)
command -v mvn >/dev/null || packages+=(maven)
command -v openssl >/dev/null || packages+=(openssl)
command -v age >/dev/null || packages+=(age)
command -v pdfsig >/dev/null || packages+=(poppler-utils)
command -v systemd-analyze >/dev/null || packages+=(systemd)
[ -x /usr/sbin/nginx ] || packages+=(nginx-light)
for library in libulfius2.7 libhoel1.4 libiddawc1.1 librhonabwy1.1 libconfig9 libcbor0.8 liboath0; do
  dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q 'ok installed' || packages+=("$library")
done
command -v ab >/dev/null || packages+=(apache2-utils)
for library in bcprov bcpkix bcutil; do
  [ -e "$jars/$library.jar" ] || packages+=("lib$library-java")
done

if [ ${#packages[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    say "needs what Debian calls: ${packages[*]}; this system has no apt-get, install them by hand" >&2
    exit 1
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      say "needs Debian packages; run as root: apt-get install ${packages[*]}" >&2
      exit 1
    fi
  fi
  say "installing ${packages[*]}"
  install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends)
  if ! "${install[@]}" "${packages[@]}" >/dev/null 2>&1; then
    "${as_root[@]}" apt-get update -qq # the package lists were absent or old
    "${install[@]}" "${packages[@]}" >/dev/null
  fi
fi

# $1 was built from all the others: exists and is newer than each of them.
is_current() {
  local product=$1 source
  shift
  [ -e "$product" ] || return 1
  for source in "$@"; do
    [ "$product" -nt "$source" ] || return 1
  done
}

if ! is_current "$built/bc/ErsJudge.class" "$here/bc/ErsJudge.java"; then
  say "building the judge on BouncyCastle"
  mkdir -p "$built/bc"
  javac -Xlint:all,-path -Werror -cp "$class_path" -d "$built/bc" "$here/bc/ErsJudge.java"
fi

if ! is_current "$built/dss/.built" "$here/dss/pom.xml" "$here"/dss/src/main/java/*.java; then
  say "building the judge on EU DSS (Maven fetches it)"
  rm -rf "$built/dss"
  mvn --quiet --batch-mode --file "$here/dss/pom.xml" package
  touch "$built/dss/.built"
fi

if ! is_current "$built/dss-signatures/.built" "$here/dss_signatures/pom.xml" \
  "$here"/dss_signatures/src/main/java/*.java; then
  say "building the judge of signatures on EU DSS (Maven fetches it)"
  rm -rf "$built/dss-signatures"
  mvn --quiet --batch-mode --file "$here/dss_signatures/pom.xml" package
  touch "$built/dss-signatures/.built"
fi

if [ ! -x "$built/glewlwyd/usr/bin/glewlwyd" ]; then
  say "unpacking the OpenID provider"
  rm -rf "$built/glewlwyd" "$built/glewlwyd.new"
  mkdir -p "$built/glewlwyd.new"
  (
    cd "$built/glewlwyd.new"
    fetch=(apt-get download -qq glewlwyd glewlwyd-common)
    if ! "${fetch[@]}" >/dev/null 2>&1; then # the package lists are absent or old, and only root can mend that
      [ "$(id -u)" -eq 0 ] && update=(apt-get update -qq) || update=(sudo -n apt-get update -qq)
      "${update[@]}"
      "${fetch[@]}" >/dev/null
    fi
    for package in ./*.deb; do dpkg -x "$package" .; done
    rm ./*.deb
  )
  mv "$built/glewlwyd.new" "$built/glewlwyd"
fi

# The description is generated from as it is served: JSON, its anchors resolved.
client=$built/generated-client
root=$(cd "$here/../.." && pwd)
if ! is_current "$client/.built" "$root/api/openapi.yaml" "$root/api/ts119512/interface.yaml" \
  "$here/generated_client/pom.xml" \
  "$here"/generated_client/src/main/java/*.java; then
  say "generating a client from the description (Maven fetches the generator)"
  rm -rf "$client"
  mkdir -p "$client"
  (cd "$root" && .venv/bin/python -c 'import sys; from api.description import description_json as read; sys.stdout.buffer.write(read())') \
    > "$client/openapi.json"
  mvn --quiet --batch-mode --file "$here/generated_client/pom.xml" package > "$client/log" 2>&1 ||
    { cat "$client/log" >&2; exit 1; }
  touch "$client/.built"
fi

if [ -e "$here/ocfl_env.sh" ]; then
  bash "$here/ocfl_env.sh"
fi

bash "$here/../s3/install.sh"

say "BouncyCastle $(basename "$(readlink -f "$jars/bcpkix.jar")" .jar | sed 's/^bcpkix-//')"
say "EU DSS $(basename "$built"/dss/lib/dss-evidence-record-asn1-*.jar .jar | sed 's/^dss-evidence-record-asn1-//')"
say "$(openssl version)"
