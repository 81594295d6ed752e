/** The page's script: draws the plots and the viewer from the data that stand in the page. */
import type { PageData } from '../page.js'
import { element } from './dom.js'
import { figuresSection } from './figures.js'
import { viewerSection } from './viewer.js'

const data: PageData = JSON.parse(document.getElementById('data')!.textContent!)

document.getElementById('report')!.append(figuresSection(data.settings), viewerSection(data.viewer))

// for whoever waits until all is drawn
document.body.append(element('span', { id: 'drawn', hidden: true }))
