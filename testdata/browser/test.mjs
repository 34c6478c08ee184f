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
page.on('console', m => { if (m.type() === 'error' && !/status of 40[01]/.test(m.text())) troubles.push(m.text()) })

const cards = () => page.locator('.card')
const first = () => page.locator('.card .label').first().textContent()
const shot = async name => { if (process.env.SHOTS) await page.screenshot({path: `${process.env.SHOTS}/${name}.png`}) }
const stated = text => page.waitForFunction(text => document.getElementById('statement').value.includes(text), text)
const settled = async () => { await page.waitForFunction(() => / rows, /.test(document.getElementById('status').textContent)); await page.waitForLoadState('networkidle') }
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
await step('dark, and readable for all', async () => {
  for (const theme of ['light', 'dark']) {
    while (await page.evaluate(() => document.documentElement.dataset.theme) !== theme) await page.click('#theme')
    const found = await page.evaluate(axe + ';axe.run({exclude: [[".card .label"]]})') // white on a picture that is darkened there
    assert.deepEqual(found.violations.map(v => v.id + ' ' + v.nodes.map(n => n.target)), [])
  }
  await shot('dark')
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
assert.deepEqual(troubles, [])
await browser.close()
console.log('the page works')
