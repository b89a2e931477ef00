/** @param characters one per byte. */
export function toBase64url (characters: string): string {
  return btoa(characters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

export function bytesToBase64url (bytes: Uint8Array): string {
  let characters = ''
  for (const byte of bytes) characters += String.fromCharCode(byte)
  return toBase64url(characters)
}

/** @throws DOMException if the text is not base64url. */
export function base64urlToBytes (text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0))
}
