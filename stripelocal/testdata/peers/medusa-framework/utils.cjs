// Stands in for @medusajs/framework, whose ./utils is this re-export among 500 other packages.
module.exports = require('@medusajs/utils')
