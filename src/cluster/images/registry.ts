import { fileURLToPath } from "node:url";

/**
 * The images that a local cluster knows. There is no registry behind them: an image is a name for a program that
 * is here already, and a container of it is that program as a process that shares the node's file system.
 */
export interface Image {
  /** What the container runs when the pod names no command. */
  readonly entrypoint: readonly string[];
  /** What follows the entrypoint when the pod gives no args. */
  readonly defaultArgs: readonly string[];
  readonly workingDir?: string;
  /** Programs at fixed paths of the image; see `files.ts`. */
  readonly files?: Readonly<Record<string, readonly string[]>>;
  /** What the size column of the node's image list says (bytes). */
  readonly sizeBytes: number;
}

const sourceOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const program = (path: string): readonly string[] => [process.execPath, sourceOf(path)];

interface KnownImage extends Image {
  /** How the name is written in messages. */
  readonly name: string;
  readonly matches: RegExp;
}

const shellLike = (name: string): KnownImage => ({
  name,
  matches: new RegExp(`^(?:.*/)?${name}$`),
  entrypoint: [],
  defaultArgs: ["sh"],
  sizeBytes: 4_000_000,
});

const known: readonly KnownImage[] = [
  {
    name: "eniverse/echo",
    matches: /^(?:.*\/)?eniverse\/echo$/,
    entrypoint: program("./echo.ts"),
    defaultArgs: [],
    sizeBytes: 1_000_000,
  },
  {
    name: "eniverse/pause",
    matches: /^(?:.*\/)?(?:eniverse\/)?pause$/,
    entrypoint: ["sleep", "infinity"],
    defaultArgs: [],
    sizeBytes: 700_000,
  },
  ...["busybox", "alpine", "debian", "bash"].map(shellLike),
  {
    name: "amazon-k8s-cni-init",
    matches: /(?:^|\/)amazon-k8s-cni-init$/,
    entrypoint: program("../../node/init/main.ts"),
    defaultArgs: [],
    workingDir: "/",
    sizeBytes: 60_000_000,
  },
  {
    name: "amazon-k8s-cni",
    matches: /(?:^|\/)amazon-k8s-cni$/,
    entrypoint: program("../../node/entrypoint/main.ts"),
    defaultArgs: [],
    files: { "/app/grpc-health-probe": program("../../node/health-probe/main.ts") },
    sizeBytes: 120_000_000,
  },
  {
    name: "aws-network-policy-agent",
    matches: /(?:^|\/)aws-network-policy-agent$/,
    entrypoint: program("./node-agent.ts"),
    defaultArgs: [],
    sizeBytes: 80_000_000,
  },
];

/** The names that a person may write; what a refused image is told. */
export const knownImages: readonly string[] = known.map(({ name }) => name);

/** Finds the program of an image by its name without tag and digest; undefined for an unknown image. */
export function findImage(reference: string): Image | undefined {
  const name = repositoryOf(reference);
  return known.find(({ matches }) => matches.test(name));
}

/** The name with a tag, as the node's runtime reports it: "busybox" → "docker.io/library/busybox:latest". */
export function canonicalImage(reference: string): string {
  const repository = repositoryOf(reference);
  const rest = reference.slice(repository.length);
  const first = repository.split("/")[0] ?? "";
  const hasHost = repository.includes("/") && (/[.:]/.test(first) || first === "localhost");
  const full = hasHost
    ? repository
    : repository.includes("/")
      ? `docker.io/${repository}`
      : `docker.io/library/${repository}`;
  return `${full}${rest === "" ? ":latest" : rest}`;
}

/** What the event of a pod with an unknown image says. */
export function unknownImageMessage(reference: string): string {
  return (
    `Failed to pull image "${reference}": rpc error: code = NotFound desc = ` +
    `there is no registry behind this cluster; it knows the images ${knownImages.join(", ")}, ` +
    "and runs any other image only when the container has a command, which is then run from the node's file system"
  );
}

/** Cuts "@sha256:…" and ":tag" off; a colon before a slash belongs to the host's port. */
function repositoryOf(reference: string): string {
  const named = reference.split("@")[0] ?? "";
  const colon = named.lastIndexOf(":");
  return colon > named.lastIndexOf("/") ? named.slice(0, colon) : named;
}
