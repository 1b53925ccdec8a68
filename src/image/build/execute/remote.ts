/** Sources of ADD that are not files of a context. */

export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** Whether a source is a repository of git, which is not read. */
export function isGit(source: string): boolean {
  return /^(git@|git:\/\/|ssh:\/\/)/.test(source) || (isUrl(source) && /\.git(#.*)?$/.test(source));
}
