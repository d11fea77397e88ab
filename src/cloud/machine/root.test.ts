import { expect, test } from "bun:test";
import { hostMounts } from "./root.ts";

// Lines of /proc/self/mountinfo of a Debian machine with a /home of its own, and of a container.
const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,mode=755
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 254:1 / /home rw,relatime shared:7 - ext4 /dev/vdb rw
31 30 254:2 / /home/us\\040er rw,relatime - xfs /dev/vdc rw
32 27 254:0 /run/netns /run/netns rw,relatime shared:1 - ext4 /dev/vda rw
33 27 254:0 /containers/1/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw
34 27 254:3 / /srv/my\\040data rw - btrfs /dev/vdd rw,subvol=/
35 27 0:40 / /mnt/memory rw - tmpfs tmpfs rw
`;

test("hostMounts finds the outermost mounts of disks, but for folders that a machine has itself", () => {
  expect(hostMounts(mountinfo)).toEqual(["/home", "/srv/my data"]);
});
