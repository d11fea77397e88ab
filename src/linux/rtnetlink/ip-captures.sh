#!/bin/bash
# Writes ip-captures.json: for each command below the netlink message that the real `ip` sends, as hex, its
# sequence number set to 0. Run as root with strace installed; it works in a namespace of its own:
#     unshare --net bash src/linux/rtnetlink/ip-captures.sh >src/linux/rtnetlink/ip-captures.json
# Recorded with iproute2 6.1.0. The last message of a command counts; those before it are look-ups.
set -eu
run() {
  echo "## $*"
  strace -qq -e trace=sendmsg,sendto -e signal=none -e write=all "$@" 2>&1 >/dev/null
}
capture() {
  ip link set lo up
  run ip link add name veth0 address 02:00:00:00:00:01 mtu 9001 txqueuelen 0 type veth peer name veth1 address 02:00:00:00:00:02 mtu 9001
  run ip link set dev veth0 up
  run ip link set dev veth0 down
  ip link set veth0 up
  ip link set veth1 up
  run ip link set dev veth0 mtu 1500
  run ip link set dev veth0 address 02:00:00:00:00:09
  run ip link set dev veth0 name veth2
  ip link set veth2 name veth0
  run ip link set dev veth0 alias hello
  run ip link add link veth0 name mv0 type macvlan mode vepa
  run ip link delete dev mv0
  run ip link set dev veth0 group 7
  run ip link delete group 7
  ip link add name veth0 index 3 type veth peer name veth1
  ip link set veth0 up
  ip link set veth1 up
  run ip address add 10.0.0.5/24 dev veth0
  run ip address add 10.0.1.5/32 dev veth0 noprefixroute
  run ip address delete 10.0.0.5/24 dev veth0
  run ip address add fd00::5/64 dev veth0 nodad
  run ip address add 127.0.0.9/8 dev lo
  run ip route add 10.1.0.0/16 dev veth0
  run ip route add 169.254.1.1/32 dev veth0 scope link
  run ip route add default via 169.254.1.1 dev veth0
  run ip route add default via 10.9.0.1 dev veth0 onlink table 1002 metric 50
  run ip route replace 10.2.0.0/16 via 169.254.1.1 dev veth0 src 10.0.1.5 mtu 1400 proto static
  run ip route add blackhole 10.3.0.0/16
  run ip route add unreachable 10.4.0.0/16 table 7
  run ip route add local 10.5.0.0/16 dev lo table 100
  run ip route delete 10.1.0.0/16 dev veth0
  run ip -6 route add fd01::/64 via fd00::1 dev veth0 table 300
  run ip -6 route add fe80::1/128 dev veth0
  run ip -6 route delete fd01::/64 table 300
  run ip route add 10.8.0.0/16 via inet6 fe80::7 dev veth0
  run ip rule add from 10.0.1.5 lookup 2 priority 1536
  run ip rule add to 10.0.1.5/32 lookup main priority 512
  run ip rule add fwmark 0x80/0x80 lookup main priority 1024
  run ip rule add iif veth0 lookup 1101 priority 10
  run ip rule add not from 10.7.0.0/16 oif veth0 blackhole priority 11
  run ip -6 rule add from fe80:ec2::1/128 ipproto ipv6-icmp lookup local priority 0
  run ip rule add lookup main suppress_prefixlength 0 priority 12
  run ip rule delete from 10.0.1.5 lookup 2 priority 1536
  run ip neighbour replace 169.254.1.1 lladdr 02:00:00:00:00:02 nud permanent dev veth0
  run ip neighbour replace proxy 10.0.0.77 dev veth0
  run ip neighbour delete 169.254.1.1 dev veth0
}
capture | awk '
  function flush() { if (command != "") { printf "%s  \"%s\": \"%s00000000%s\"", separator, command, substr(hex, 1, 16), substr(hex, 25); separator = ",\n" } }
  /^## / { flush(); command = substr($0, 4); hex = "" }
  /^(sendmsg|sendto)\(/ { hex = "" }
  /^ \| / { line = substr($0, 11, 48); gsub(/ /, "", line); hex = hex line }
  BEGIN { print "{" }
  END { flush(); print "\n}" }'
