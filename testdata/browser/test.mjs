// What a person does with the page of lupa browse, in Chromium.
import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {chromium} from 'playwright-core'

const axe = readFileSync('node_modules/axe-core/axe.min.js', 'utf8')
const browser = await chromium.launch({executablePath: process.env.CHROMIUM, args: ['--no-sandbox']})
const context = await browser.newContext({viewport: {width: 1200, height: 800}})
const page = await context.newPage()
const troubles = []
page.on('pageerror', e => troubles.push(e.message))
page.on('console', m => { if (m.type() === 'error' && !/status of 40[013]/.test(m.text())) troubles.push(m.text()) })

const cards = () => page.locator('.card')
const first = () => page.locator('.card .label').first().textContent()
const shot = async name => { if (process.env.SHOTS) await page.screenshot({path: `${process.env.SHOTS}/${name}.png`}) }
const stated = text => page.waitForFunction(text => document.getElementById('statement').value.includes(text), text)
const settled = async () => { await page.waitForFunction(() => / rows, /.test(document.getElementById('status').textContent)); await page.waitForLoadState('networkidle') }
// readable fails where axe-core finds a fault: white on a picture that is darkened there is none.
async function readable(part = 'body') {
  const found = await page.evaluate(`${axe};axe.run({include: [['${part}']], exclude: [['.card .label']]})`)
  assert.deepEqual(found.violations.map(v => v.id + ' ' + v.nodes.map(n => n.target)), [])
}
async function step(about, f) {
  try { await f(); console.log('ok   ' + about) } catch (e) { console.error('FAIL ' + about); throw e }
}

await step('without the token the page is refused', async () => {
  const answer = await page.goto(new URL('/', process.env.ADDRESS).href)
  assert.equal(answer.status(), 401)
  troubles.length = 0
})
await step('the address with the token opens it, and is not kept', async () => {
  await page.goto(process.env.ADDRESS)
  await cards().first().waitFor()
  assert.ok(!page.url().includes('token'))
})
await step('typing finds', async () => {
  await page.locator('#q').pressSequentially('a wolf', {delay: 20})
  await page.waitForFunction(() => location.hash.includes('q=a+wolf'))
  await stated("clip_sim('a wolf') AS score")
  await settled()
  assert.match(await page.locator('.card img').first().getAttribute('src'), /thumb/)
  await shot('search')
})
await step('the line below what is relevant', async () => {
  for (let i = 0; i < 10 && !await page.locator('.cut').count(); i++) { await page.mouse.wheel(0, 2000); await page.waitForTimeout(150) }
  assert.match(await page.locator('.cut').textContent(), /Nothing relevant below here/)
  const order = await page.evaluate(() => [...document.querySelectorAll('#results > *')].map(e => e.className))
  assert.ok(order.indexOf('cut') > 0, 'it stands above all')
  await shot('cut')
  await page.evaluate(() => scrollTo(0, 0))
})
await step('what is alike is a stack', async () => {
  const twin = page.locator('.cell', {hasText: 'a wolf, twice'}).first()
  await twin.locator('.stack').waitFor()
  const before = await cards().count()
  await twin.locator('.stack').click()
  assert.ok(await cards().count() > before)
  assert.ok(await page.locator('.cell.below .label', {hasText: 'window.hacked'}).count() + await page.locator('.cell .label', {hasText: 'window.hacked'}).count() > 0)
  await shot('stack')
  await twin.locator('.stack').click()
  assert.equal(await cards().count(), before)
  await page.uncheck('#fold')
  await page.waitForFunction(() => !document.querySelector('.stack'))
  await page.check('#fold')
  await page.locator('.stack').first().waitFor()
})
await step('hits are judged, by keyboard, and measured', async () => {
  await cards().first().click()
  await page.keyboard.press('n')
  await page.locator('#wrong[aria-pressed=true]').waitFor()
  await page.keyboard.press('ArrowRight') // to its twin, which lies below it
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('y')
  await page.locator('#right[aria-pressed=true]').waitFor()
  await shot('judging')
  await page.keyboard.press('Escape')
  assert.equal(await page.locator('.mark').count(), 2)
  assert.match(readFileSync(process.env.MARKS, 'utf8'), /^query,id,right,table\na wolf,\d+,no,photos\na wolf,\d+,yes,photos\n$/)
  await page.click('#judged')
  await page.locator('#eval tr.bad').waitFor()
  assert.match(await page.locator('#eval-about').textContent(), /1 of 1 first hits are wrong/)
  assert.match(await page.locator('#eval-prompts').textContent(), /a wolf/)
  await readable('#eval')
  await shot('eval')
  await page.locator('#eval-prompts button').click()
  await page.waitForFunction(() => document.querySelectorAll('.mark').length === 2)
  await page.reload(); await page.locator('.mark').first().waitFor() // they are remembered
  assert.equal(await page.inputValue('#q'), 'a wolf')
})
await step('rows are chosen and saved', async () => {
  const saved = async button => {
    const [d] = await Promise.all([page.waitForEvent('download'), page.click(button)])
    return [d.suggestedFilename(), readFileSync(await d.path(), 'utf8')]
  }
  let [name, text] = await saved('#paths')
  assert.equal(name, 'paths.txt')
  assert.ok(text.trim().split('\n').length >= 60)
  for (const i of [0, 2]) await page.locator('.pick').nth(i).check()
  assert.equal(await page.locator('#picked').textContent(), '2 selected')
  ;[, text] = await saved('#csv')
  assert.equal(text.trim().split('\r\n').length, 3)
  ;[name, text] = await saved('#page')
  assert.equal(name, 'gallery.html')
  assert.equal(text.match(/data:image\/jpeg/g).length, 2)
  await page.click('#unpick')
  assert.equal(await page.locator('.pick:checked').count(), 0)
})
await step('scrolling brings more', async () => {
  const before = await cards().count()
  for (let i = 0; i < 6; i++) { await page.mouse.wheel(0, 4000); await page.waitForTimeout(200) }
  await settled()
  assert.ok(await cards().count() > before, 'no more cards')
  await page.evaluate(() => scrollTo(0, 0))
})
await step('words can be added and avoided', async () => {
  await page.fill('#q', 'horse'); await page.click('#plus')
  await page.fill('#q', 'snow'); await page.click('#minus')
  await stated("'horse' - 'snow'")
  assert.equal(await page.locator('#chips li').count(), 2)
})
await step('more like this, by the keyboard', async () => {
  await cards().first().focus()
  await page.keyboard.press('Enter')
  await page.locator('#view').waitFor()
  await page.keyboard.press('ArrowRight')
  assert.ok((await page.locator('#info').textContent()).includes('path'))
  await shot('view')
  await page.keyboard.press('i')
  await page.keyboard.press('i')
  await page.keyboard.press('Escape')
  assert.equal(await page.locator('#view').evaluate(d => d.open), false)
  await cards().first().focus() // closing may have left the focus on the page
  await page.keyboard.press('Enter')
  await page.locator('#view').waitFor()
  await page.keyboard.press('+')
  await stated('(SELECT clip FROM photos WHERE id = ')
  for (let n = await page.locator('#chips li').count(); n > 0; n--) await page.locator('#chips button').first().click()
})
await step('a dropped picture is searched for', async () => {
  const bytes = [...readFileSync(process.env.PICTURE)]
  await page.evaluate(bytes => {
    const data = new DataTransfer()
    data.items.add(new File([new Uint8Array(bytes)], 'x.jpg', {type: 'image/jpeg'}))
    dispatchEvent(new DragEvent('drop', {dataTransfer: data}))
  }, bytes)
  await stated('clip_sim($1)')
  await settled()
  await page.locator('#chips button').click()
})
await step('filters', async () => {
  await page.click('#filters-toggle')
  await page.locator('#filters fieldset', {hasText: 'format'}).locator('input').first().check()
  await stated('WHERE format = ')
  await shot('filters')
  await page.locator('#filters fieldset', {hasText: 'format'}).locator('input').first().uncheck()
  await page.click('#filters-toggle')
})
await step('sorting', async () => {
  await page.selectOption('#sort', '-width')
  await stated('ORDER BY width DESC')
  await page.selectOption('#sort', '')
})
await step('a statement can be edited; mistakes show their place', async () => {
  await page.click('#sql summary')
  await page.fill('#statement', 'SELECT id, pth FROM photos'); await page.click('#run')
  await page.locator('#error').waitFor()
  assert.match(await page.locator('#error').textContent(), /pth FROM photos\n +\^[^]*path/)
  await page.fill('#statement', 'DELETE FROM photos'); await page.click('#run')
  await page.waitForFunction(() => /read-only/.test(document.getElementById('error').textContent))
  await page.fill('#statement', "SELECT id, path FROM photos WHERE path LIKE '%scene255%'"); await page.click('#run')
  await page.waitForFunction(() => document.querySelectorAll('.card').length === 1)
  assert.equal(await page.locator('#error').isHidden(), true)
})
await step('hostile texts stay texts', async () => {
  await page.fill('#statement', "SELECT * FROM notes"); await page.click('#run')
  await page.waitForFunction(() => document.querySelectorAll('.card').length === 2)
  await page.selectOption('#table', 'photos')
  await page.fill('#q', 'a wolf'); await settled()
  assert.equal(await page.evaluate(() => window.hacked), undefined)
})
await step('20,000 rows without pictures', async () => {
  await page.selectOption('#table', 'vectors')
  await page.fill('#q', 'two red fish')
  await stated("FROM vectors ORDER BY score")
  await settled()
  await page.waitForFunction(() => document.querySelector('.cell.text .score, .cell.text dl'))
  for (let i = 0; i < 60 && await cards().count() < 400; i++) { await page.mouse.wheel(0, 6000); await page.waitForTimeout(100) }
  assert.ok(await cards().count() >= 400, `${await cards().count()} cards`)
  await shot('cards')
  await page.selectOption('#table', 'photos')
  await page.fill('#q', 'a wolf'); await stated('FROM photos ORDER BY score'); await settled()
})
await step('dark, and readable for all', async () => {
  for (const theme of ['light', 'dark']) {
    while (await page.evaluate(() => document.documentElement.dataset.theme) !== theme) await page.click('#theme')
    await readable()
    await cards().first().click()
    await readable()
    await page.keyboard.press('Escape')
  }
  await shot('dark')
})
await step('nothing moves for who wants it so', async () => {
  const moves = () => page.evaluate(() => getComputedStyle(document.querySelector('.card img')).transitionDuration)
  await page.emulateMedia({reducedMotion: 'reduce'})
  assert.equal(await moves(), '0s')
  await page.emulateMedia({reducedMotion: null})
})
await step('as wide as a phone', async () => {
  await page.setViewportSize({width: 390, height: 800})
  await page.waitForTimeout(300)
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth))
  await shot('phone')
})
await step('a slow answer does not overwrite a newer one', async () => {
  await page.route('**/api/v1/search?*q=slow*', async r => { await new Promise(f => setTimeout(f, 800)); await r.continue().catch(() => {}) })
  await page.fill('#q', 'slow'); await page.waitForTimeout(250)
  await page.fill('#q', 'two stars'); await page.waitForTimeout(1500)
  assert.match(await page.locator('#statement').inputValue(), /two stars/)
})
await step('pictures are imported into a new store', async () => {
  await page.setViewportSize({width: 1200, height: 800})
  await page.goto(process.env.WRITING)
  await page.click('#import')
  await page.locator('#import-folders button').first().waitFor()
  await page.fill('#import-folder', process.env.FOLDER)
  await page.selectOption('#import-model', 'toy-clip')
  await readable('#importing')
  await page.click('#import-start')
  await page.waitForFunction(() => /^Done\. [0-9]+ pictures read/.test(document.getElementById('import-status').textContent))
  await page.locator('#import-skipped summary').click()
  assert.match(await page.locator('#import-skipped').textContent(), /broken\.jpg/)
  assert.match(await page.locator('#import-statement').textContent(), /CREATE TABLE .*\nINSERT INTO photos/)
  await shot('import')
  await page.locator('#importing [data-close]').click()
  await cards().first().waitFor() // what is in is shown
  await page.click('#sql summary')
  await page.fill('#statement', "DELETE FROM photos WHERE path LIKE '%scene001%'"); await page.click('#run')
  await page.waitForFunction(() => /^1 rows changed/.test(document.getElementById('status').textContent))
})
assert.deepEqual(troubles, [])
await browser.close()
console.log('the page works')
