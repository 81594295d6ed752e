/** Reads pages in Markdown: the command lines of sjd2 that they show, and their links. */
import { createProgram } from '../../src/cli/program.js'
import { choosePolicy } from '../../src/experiment/policy.js'

/** Every command line of sjd2 in a page's code blocks, from the command's name on. */
export function commandLines(page: string): string[] {
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) =>
    block.replaceAll(/\\\n\s*/g, ''),
  )
  const command = /^(?:\w+=\S+ )?(?:(?:npx )?sjd2|npm start --) (.+)$/
  return unique(
    blocks
      .flatMap((block) => block.split('\n').map((line) => command.exec(withoutComment(line))?.[1] ?? []))
      .flat(),
  )
}

/** The commands that a page's text mentions, such as `sjd2 plan`: perhaps without what they must be given. */
export const mentions = (page: string): string[] =>
  unique([...withoutBlocks(page).matchAll(/`(?:npx )?sjd2 ([^`\n]+)`/g)].map(([, line]) => line))

const unique = (lines: readonly string[]): string[] => [...new Set(lines)]
const withoutBlocks = (page: string): string => page.replaceAll(/^```.*?^```/gms, '')
const withoutComment = (line: string): string => line.replace(/^((?:[^"#]|"[^"]*")*?) *#.*$/, '$1').trimEnd()

export const MISSING = 'an argument is missing'

/** What the command line does not understand of a command; an argument that is missing comes last. */
export async function misunderstood(line: string): Promise<string[]> {
  const words = [...line.matchAll(/"([^"]+)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
  const faults: string[] = []
  let command = createProgram()
  while (words.length > 0 && command.commands.length > 0) {
    const next = command.commands.find((one) => one.name() === words[0])
    if (next === undefined) return [`unknown command ${words[0]}`]
    command = next
    words.shift()
  }
  try {
    const { operands, unknown } = command.parseOptions(words)
    if (unknown[0] === '--help') return []
    // what stands behind an unknown option may be its value
    faults.push(...unknown.slice(0, 1).map((word) => `unknown option ${word}`))
    const required = command.registeredArguments.filter(({ required }) => required).length
    const { policy } = command.opts<{ policy?: string }>()
    const policies = command.name() === 'compare' ? operands : policy === undefined ? [] : [policy]
    for (const spec of policies) await choosePolicy(spec)
    if (operands.length < required) faults.push(MISSING)
  } catch (error) {
    faults.push((error as Error).message)
  }
  return faults
}

/**
 * Links of a page that lead nowhere.
 * @param read the text of the file that a link names, null where there is none.
 */
export function unresolvedLinks(page: string, read: (file: string) => string | null): string[] {
  const links = [...withoutBlocks(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link)
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false
    const [file, heading] = link.split('#')
    const target = file === '' ? page : read(file)
    if (target === null) return true
    return heading !== undefined && !anchors(target).includes(heading)
  })
}

/** The anchors of a page's headings, as GitHub makes them. */
const anchors = (page: string): string[] =>
  [...withoutBlocks(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
