#!/usr/bin/env bash
# Publishes Spawngate as one native executable, artifacts/spawngate. Installs nothing.
#
#   ./build.sh                      for this machine
#   ./build.sh --with-test-backend  also artifacts/TestBackend, the child server of the end-to-end tests
#   ./build.sh --only-test-backend  nothing but that
#   ./build.sh --fresh              forget that the package feed lacked the net10.0 native AOT pack, and ask it again
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
with_gateway=yes
with_test_backend=no
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

# publish PROJECT FRAMEWORK: publishes into artifacts/FRAMEWORK/native; the output is in $log.
publish() {
  dotnet publish "$root/$1" -c Release -r "$rid" -p:SpawngateAot=true "-p:SpawngateFramework=$2" \
    -o "$root/artifacts/$2/native" -nodeReuse:false -nologo -v:quiet -clp:NoSummary > "$log" 2>&1 < /dev/null
}

lacks_pack() {
  grep -Eq 'error NU110[123]: .*(ILCompiler|Runtime\.NativeAOT|Microsoft\.(NETCore|AspNetCore)\.App\.Runtime)' "$log"
}

# The answer of the feed is kept for a day and for this SDK: asking again costs seconds at every build.
feed_lacked_net10() {
  [ -f "$marker" ] && [ "$(cat "$marker")" = "$(dotnet --version)" ] && [ -n "$(find "$marker" -mmin -1440)" ]
}

# deliver PROJECT FILE: publishes a project with the framework chosen so far and puts the executable into artifacts.
deliver() {
  if ! publish "$1" "$framework"; then
    if [ "$framework" = net10.0 ] && lacks_pack; then
      framework=net9.0
      dotnet --version > "$marker"
      printf 'build.sh: the package feed has no net10.0 native AOT pack for %s; building the same sources for net9.0\n' "$rid"
      deliver "$@"
      return
    fi
    cat "$log" >&2
    fail "publishing $1 failed"
  fi
  if grep -Eq 'warning (IL|CS|NETSDK|AOT)[0-9]*' "$log"; then
    cat "$log" >&2
    fail "publishing $1 gave warnings"
  fi
  # Moved, not copied over: the file may be running.
  cp "$root/artifacts/$framework/native/$2" "$root/artifacts/$2.new"
  mv -f "$root/artifacts/$2.new" "$root/artifacts/$2"
  printf 'artifacts/%s  %s bytes  %s  %s\n' "$2" "$(wc -c < "$root/artifacts/$2" | tr -d ' ')" "$framework" "$rid"
}

marker=$root/artifacts/.feed-lacks-net10-aot
for argument in "$@"; do
  case "$argument" in
    --with-test-backend) with_test_backend=yes ;;
    --only-test-backend) with_gateway=no with_test_backend=yes ;;
    --fresh) rm -f "$marker" ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) fail "unknown option $argument (see --help)" ;;
  esac
done

check_tools
rid=$(runtime_identifier)
mkdir -p "$root/artifacts"
framework=net10.0
if feed_lacked_net10; then
  framework=net9.0
fi
if [ "$with_gateway" = yes ]; then
  deliver src/Spawngate/Spawngate.csproj spawngate
fi
if [ "$with_test_backend" = yes ]; then
  deliver tests/TestBackend/TestBackend.csproj TestBackend
fi
