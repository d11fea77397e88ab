/** Temporary credentials of a role that the metadata service gave to an instance. */
export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly token: string;
  readonly role: string;
  readonly instanceId: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}
