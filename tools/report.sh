#!/usr/bin/env bash
# Runs `make test` and prints what to put into an issue about a platform that we cannot try ourselves. Its end is that of
# the tests.
set -uo pipefail
cd "$(dirname "$0")/.."

ended=0
rm -f build/release/tests.xml
mkdir -p build
make --no-print-directory test 2>&1 | tee build/report.log || ended=$?

from_results() { sed -n "$1" build/release/tests.xml 2>/dev/null; }
echo
echo "--- please report this, from here"
echo "cordage:   $(git describe --always --dirty 2>/dev/null || echo 'not a git checkout')"
echo "system:    $(uname -srm)$(command -v sw_vers >/dev/null && echo ", macOS $(sw_vers -productVersion)")"
echo "processor: $(sysctl -n machdep.cpu.brand_string 2>/dev/null || lscpu 2>/dev/null | sed -n 's/^Model name: *//p')"
echo "page size: $(getconf PAGESIZE)"
echo "compiler:  $(cat build/release/toolchain.txt 2>/dev/null || echo 'none was configured')"
count=$(from_results 's/^[[:space:]]*tests="\([0-9]*\)".*/\1 tests/p' | head -n 1)
echo "make test: exit $ended; ${count:-no tests ran}"
echo "failed:"
from_results 's/.*testcase name="\([^"]*\)".*status="fail".*/  \1/p'
echo "skipped:"
from_results 's/.*testcase name="\([^"]*\)".*status="notrun".*/  \1/p'
if [[ -z $count ]]; then
  echo "the end of what it said:"
  tail -n 20 build/report.log
fi
echo "--- to here; the first failing test's whole output helps, too: build/release/Testing/Temporary/LastTest.log"
exit "$ended"
