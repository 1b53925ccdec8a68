/**
 * A text without the passwords of the URLs in it, as Go's `URL.Redacted` writes them: for what is shown, or becomes part of an image.
 *
 * `ADD https://me:xxxxx@host/file /` of `ADD https://me:secret@host/file /`
 */
export function withoutPasswords(text: string): string {
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/?#:@]*:)[^\s/?#]*(?=@)/gi, "$1xxxxx");
}
