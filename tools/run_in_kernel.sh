#!/usr/bin/env bash
# Runs test programs for AArch64 on a real kernel of that machine, Debian's, in QEMU's whole machine: what an emulator of
# user programs answers itself, this kernel does. Its end is that of the tests; the last lines are a program each.
#
#   tools/run_in_kernel.sh BUILD_FOLDER PROGRAM…      a folder of tools/test_platforms.py, programs of its tests/
set -euo pipefail
cd "$(dirname "$0")/.."
from=$1
shift
memory=4096
seconds=1500

system=$PWD/build/platforms/kernel-arm64
tools/foreign_packages.sh arm64 "$system" linux-image-cloud-arm64+ busybox-static
kernel=$(ls "$system"/boot/vmlinuz-*)

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,proc,sys,tmp,lib,tests}
cp "$system/bin/busybox" "$root/bin/"
for library in ld-linux-aarch64.so.1 libc.so.6 libm.so.6 libstdc++.so.6 libgcc_s.so.1; do
  cp -L "/usr/aarch64-linux-gnu/lib/$library" "$root/lib/"
done
for program in "$@"; do aarch64-linux-gnu-strip -o "$root/tests/$program" "$from/tests/$program.elf"; done

# The first process. What a test prints goes to a file, of which the end is shown where it failed.
cat >"$root/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs none /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /tmp
ip link set lo up
uname -srm
failed=0
for program in /tests/*; do
  if "$program" >/tmp/out 2>&1; then
    echo "${program#/tests/}: $(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' /tmp/out) passed, $(grep -c '^\[  SKIPPED \].*ms)$' /tmp/out) skipped"
    grep -A 1 ': Skipped$' /tmp/out | grep -v -e ': Skipped$' -e '^--$' | sed 's/^/  skipped: /'
  else
    tail -n 40 /tmp/out
    echo "${program#/tests/}: FAILED"
    failed=1
  fi
done
echo "kernel: exit $failed"
poweroff -f
END
chmod +x "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$system/root.gz"

timeout "$seconds" qemu-system-aarch64 -machine virt -cpu max -smp 2 -m "$memory" -nographic -no-reboot -nic none \
  -kernel "$kernel" -initrd "$system/root.gz" -append "console=ttyAMA0 quiet panic=-1" </dev/null | tr -d '\r' | tee "$system/console.txt"
grep -q '^kernel: exit 0$' "$system/console.txt"
