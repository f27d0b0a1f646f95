#!/bin/sh
# write_launcher.sh PROGRAM EMULATOR…: PROGRAM becomes a script that runs PROGRAM.elf in the emulator, under its own name.
set -eu
program=$1
shift
emulator=$1
shift
printf '#!/bin/sh\nexec %s -0 "$0" %s "$0.elf" "$@"\n' "$emulator" "$*" >"$program"
chmod +x "$program"
