/** The value of the Name tag, or "-". */
export function nameTag(
  tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] = [],
): string {
  return tags.find((tag) => tag.Key === "Name")?.Value ?? "-";
}
