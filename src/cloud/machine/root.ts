import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { HolderOptions } from "../../linux/holder.ts";

/**
 * The file system of a machine: an overlay over the host's root, with mounts of its own where host and machine
 * must not meet. It is built by a shell script in the machine's mount namespace, before anything else runs there.
 */
export interface RootOptions {
  readonly instanceId: string;
  readonly hostname: string;
  readonly nameserver: string;
  /** Host folders that the machine has too, under the same path, read and write. */
  readonly sharedFolders: readonly string[];
  /** Built in the mounts of the machine before its reboot: what it wrote is still there, its mounts are made anew. */
  readonly again: boolean;
}

/** The checkout that this file is part of: the programs of the node are run from it. */
const projectFolder = resolve(import.meta.dir, "../../..");

/**
 * Where the root is put together: covered by a tmpfs in the machine's own mount namespace, so that the host sees
 * nothing of it. The host's /sys is not needed meanwhile.
 */
const workshop = "/sys";
const root = `${workshop}/root`;

/** What {@link HolderOptions} needs to build the root; the script is kept out of the process list. */
export function rootSetup(options: RootOptions): Required<Pick<HolderOptions, "setup" | "env">> {
  return { setup: ["sh", "-c", 'eval "$ENIVERSE_ROOT"'], env: { ENIVERSE_ROOT: setupScript(options) } };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** fstab(5): blanks and backslashes as octal numbers. */
const fstabField = (text: string): string =>
  text.replace(/[\s\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);

function fstabLine(source: string, target: string, type: string, options: string): string {
  return [source, root + target, type, options].map(fstabField).join(" ");
}

/** The writable layer is a tmpfs that only the overlay refers to: it ends with the last namespace that has the overlay. */
const newDisk = `mkdir ${workshop}/upper ${workshop}/work
mount -t overlay -o lowerdir=/,upperdir=${workshop}/upper,workdir=${workshop}/work eniverse ${root} || {
  echo "the kernel cannot mount an overlay of / (CONFIG_OVERLAY_FS)"
  exit 1
}`;
const newFolders = `rm -rf opt/cni etc/cni var/lib/cni var/lib/kubelet var/log
mkdir -p opt/cni/bin etc/cni/net.d var/lib/cni var/lib/kubelet var/log/pods var/log/containers var/log/aws-routed-eni`;

function setupScript(options: RootOptions): string {
  const bind = (folder: string, how: string): string => fstabLine(folder, folder, "none", how);
  const others = hostMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  // First what covers folders of the overlay, then what is put into them.
  const covers = [
    ...others.map((folder) => bind(folder, "rbind,ro,nofail")),
    fstabLine("proc", "/proc", "proc", "nosuid,nodev,noexec"),
    // Settings of the kernel as a whole stay the host's; those of the network are the machine's own.
    fstabLine(`${root}/proc/sys`, "/proc/sys", "none", "bind,ro"),
    fstabLine("/proc/sys/net", "/proc/sys/net", "none", "bind"),
    fstabLine("sysfs", "/sys", "sysfs", "ro,nosuid,nodev,noexec"),
    fstabLine("/dev", "/dev", "none", "bind,ro"),
    fstabLine("devpts", "/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5"),
    fstabLine("tmpfs", "/dev/shm", "tmpfs", "nosuid,nodev,mode=1777"),
    fstabLine("tmpfs", "/run", "tmpfs", "nosuid,nodev,mode=0755"),
    fstabLine("tmpfs", "/tmp", "tmpfs", "nosuid,nodev,mode=1777"),
  ];
  const shared = [
    bind(projectFolder, "bind,ro"),
    ...options.sharedFolders.map((folder) => bind(folder, "bind")),
  ];
  const points = [projectFolder, ...options.sharedFolders].map((folder) => quoted(root + folder)).join(" ");
  const machineId = createHash("sha256").update(options.instanceId).digest("hex").slice(0, 32);
  return `set -e
mount -t tmpfs -o mode=0755 eniverse ${workshop}
mkdir ${root}
${options.again ? `mount --bind / ${root}` : newDisk}
cat >${workshop}/covers <<'EOF'
${covers.join("\n")}
EOF
cat >${workshop}/shared <<'EOF'
${shared.join("\n")}
EOF
mount -a -T ${workshop}/covers
mkdir -p ${points}
mount -a -T ${workshop}/shared
cd ${root}
${options.again ? "" : newFolders}
mkdir -p run/aws-node run/netns run/lock run/cni
[ -e var/run ] || ln -s /run var/run
rm -f etc/hostname etc/hosts etc/resolv.conf etc/machine-id
echo ${quoted(options.hostname)} >etc/hostname
echo ${machineId} >etc/machine-id
printf '127.0.0.1 localhost\\n::1 localhost6\\n' >etc/hosts
printf 'nameserver %s\\n' ${quoted(options.nameserver)} >etc/resolv.conf
pivot_root . .
umount -l .
cd /
`;
}

/** File systems that are the kernel's or somebody's memory, and so have nothing that a node could need. */
const notDisk =
  /^(proc|sysfs|devtmpfs|devpts|tmpfs|ramfs|cgroup2?|mqueue|debugfs|tracefs|securityfs|pstore|bpf|configfs|fusectl|hugetlbfs|binfmt_misc|autofs|rpc_pipefs|nsfs|efivarfs|overlay)$/;
/** Where the machine has mounts of its own. */
const own = ["/proc", "/sys", "/dev", "/run", "/tmp", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/**
 * Folders of the host that lie on file systems besides the root's, from /proc/self/mountinfo (proc(5)); the overlay
 * does not show what is mounted below its lower folder.
 */
export function hostMounts(mountinfo: string): string[] {
  const folders: string[] = [];
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const point = before
      .split(" ")[4]
      ?.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const type = after.split(" ")[0] ?? "";
    if (point === undefined || point === "/" || notDisk.test(type)) continue;
    const within = (folder: string): boolean => point === folder || point.startsWith(`${folder}/`);
    if (!own.some(within) && !folders.some(within)) folders.push(point);
  }
  return folders;
}
