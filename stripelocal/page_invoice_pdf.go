package stripelocal

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"usher/stripelocal/wire"
)

// invoicePDF serves invoice_pdf: one page of plain text.
func (p hostedPages) invoicePDF(w http.ResponseWriter, req *http.Request) {
	var lines []string
	_ = p.transact(requestInfo{}, func(r *request) error {
		if inv, ok := r.store.Invoices.get(req.PathValue("id")); ok && inv.FinalizedAt != 0 {
			lines = invoicePDFLines(inv)
		}
		return nil
	})
	if lines == nil {
		p.notFound(w)
		return
	}
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Disposition", `inline; filename="invoice.pdf"`)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(textPDF(lines))
}

func invoicePDFLines(inv *Invoice) []string {
	out := []string{
		"Invoice " + inv.Number + " (local Stripe: no money moves)", "Date: " + formatDate(inv.FinalizedAt),
		"To: " + strings.TrimSpace(inv.CustomerName+" "+inv.CustomerEmail), "Status: " + inv.Status, "",
	}
	for _, l := range inv.Lines {
		out = append(out, wire.FormatAmount(l.Amount, inv.Currency)+"   "+l.Description)
	}
	return append(out, "", "Total: "+wire.FormatAmount(inv.total(), inv.Currency), "Amount due: "+wire.FormatAmount(inv.remaining(), inv.Currency))
}

// textPDF renders lines of text as a one-page PDF with the minimal structure of ISO 32000-1.
// Characters that the font lacks become question marks.
func textPDF(lines []string) []byte {
	var page bytes.Buffer
	page.WriteString("BT /F1 10 Tf 14 TL 50 790 Td\n")
	for _, l := range lines {
		fmt.Fprintf(&page, "(%s) Tj T*\n", pdfText(l))
	}
	page.WriteString("ET")
	var out bytes.Buffer
	out.WriteString("%PDF-1.4\n")
	var offsets []int
	for i, body := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", page.Len(), page.String()),
	} {
		offsets = append(offsets, out.Len())
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, body)
	}
	table := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, at := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, table)
	return out.Bytes()
}

// pdfText encodes a string in WinAnsiEncoding, restricted to its Latin-1 part, and escapes the
// delimiters of a PDF string.
func pdfText(s string) []byte {
	var out []byte
	for _, r := range s {
		switch {
		case r == '(' || r == ')' || r == '\\':
			out = append(out, '\\', byte(r))
		case r >= ' ' && r < 0x7f || r >= 0xa0 && r <= 0xff:
			out = append(out, byte(r))
		default:
			out = append(out, '?')
		}
	}
	return out
}
