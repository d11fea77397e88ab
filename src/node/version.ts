import packageJson from "../../package.json" with { type: "json" };

/** Version of the node's programs; plugin and ipamd refuse to work together when theirs differ. */
export const nodeVersion: string = packageJson.version;
