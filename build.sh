#!/usr/bin/env bash
# Publishes Spawngate as one native executable, artifacts/spawngate. Installs nothing.
#
#   ./build.sh                      for this machine
#   ./build.sh --static             also artifacts/spawngate-static, which needs no shared library and runs in an image FROM scratch
#   ./build.sh --with-test-backend  also artifacts/TestBackend, the child server of the end-to-end tests
#   ./build.sh --only-test-backend  nothing but that
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
with_gateway=yes
with_test_backend=no
with_static=no
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fail() {
  printf 'build.sh: %s\n' "$*" >&2
  exit 1
}

runtime_identifier() {
  local machine libc=linux
  case "$(uname -s)" in
    Linux)
      # The C library decides which runtime pack fits; musl names its loader after itself.
      if compgen -G '/lib/ld-musl-*' > /dev/null && ! compgen -G '/lib*/ld-linux-*' > /dev/null; then libc=linux-musl; fi ;;
    Darwin) libc=osx ;;
    *) fail "native builds are made on Linux and macOS, not on $(uname -s)" ;;
  esac
  case "$(uname -m)" in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) fail "no native build for the processor $(uname -m)" ;;
  esac
  printf '%s-%s' "$libc" "$machine"
}

check_tools() {
  command -v dotnet > /dev/null || fail 'the .NET SDK is missing: dotnet is not on PATH'
  command -v clang > /dev/null || command -v gcc > /dev/null \
    || fail 'native AOT needs a C linker, and neither clang nor gcc is on PATH (Debian: apt-get install gcc libc6-dev zlib1g-dev; Alpine: apk add build-base zlib-dev)'
}

# publish PROJECT LINKAGE: publishes into artifacts/LINKAGE, where LINKAGE is native or static; the output is in $log.
publish() {
  local linkage=()
  if [ "$2" = static ]; then linkage=(-p:SpawngateStatic=true); fi

  # The analyzers have their say in every other build.
  dotnet publish "$root/$1" -c Release -r "$rid" -p:RunAnalyzers=false -p:SpawngateAot=true "${linkage[@]+"${linkage[@]}"}" \
    -o "$root/artifacts/$2" -nodeReuse:false -nologo -v:quiet -clp:NoSummary > "$log" 2>&1 < /dev/null
}

# A static executable takes the static C library, and a linker that can put one together with native AOT.
check_static_tools() {
  case "$rid" in linux-*) ;; *) fail "static executables are made on Linux, not for $rid" ;; esac
  command -v ld.lld > /dev/null || fail 'a static executable needs the linker lld (Debian: apt-get install lld; Alpine: apk add lld)'
  local compiler=gcc
  if command -v clang > /dev/null; then compiler=clang; fi
  [ -f "$("$compiler" -print-file-name=libc.a)" ] || fail 'a static executable needs the static C library (Debian: apt-get install libc6-dev; Alpine: apk add musl-dev)'
}

# deliver PROJECT FILE [LINKAGE [NAME]]: publishes a project and puts the executable into artifacts, as NAME.
deliver() {
  local linkage=${3:-native} name=${4:-$2}
  if ! publish "$1" "$linkage"; then
    cat "$log" >&2
    fail "publishing $1 failed"
  fi
  if grep -Eq 'warning (IL|CS|NETSDK|AOT)[0-9]*' "$log"; then
    cat "$log" >&2
    fail "publishing $1 gave warnings"
  fi
  # Moved, not copied over: the file may be running.
  cp "$root/artifacts/$linkage/$2" "$root/artifacts/$name.new"
  mv -f "$root/artifacts/$name.new" "$root/artifacts/$name"
  printf 'artifacts/%s  %s bytes  %s\n' "$name" "$(wc -c < "$root/artifacts/$name" | tr -d ' ')" "$rid"
}

for argument in "$@"; do
  case "$argument" in
    --with-test-backend) with_test_backend=yes ;;
    --static) with_static=yes ;;
    --only-test-backend) with_gateway=no with_test_backend=yes ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) fail "unknown option $argument (see --help)" ;;
  esac
done

check_tools
rid=$(runtime_identifier)
if [ "$with_static" = yes ]; then check_static_tools; fi
mkdir -p "$root/artifacts"
if [ "$with_gateway" = yes ]; then
  deliver src/Spawngate/Spawngate.csproj spawngate
fi
if [ "$with_static" = yes ]; then
  # The compiled object is the one that was just made: this costs a link.
  deliver src/Spawngate/Spawngate.csproj spawngate static spawngate-static
fi
if [ "$with_test_backend" = yes ]; then
  deliver tests/TestBackend/TestBackend.csproj TestBackend
fi
