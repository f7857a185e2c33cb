// What reads the health rows of sentinelone-source: an analytics rule of Microsoft Sentinel and a
// workbook. Deploy it to the resource group of the workspace, after the table SentinelOneSource_CL.

targetScope = 'resourceGroup'

@description('Name of the Log Analytics workspace, with Microsoft Sentinel.')
param workspaceName string

@description('Region of the workspace.')
param location string = resourceGroup().location

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource rule 'Microsoft.SecurityInsights/alertRules@2024-03-01' = {
  scope: workspace
  name: guid(workspace.id, 'sentinelone-source-health')
  kind: 'Scheduled'
  properties: {
    displayName: 'The SentinelOne source is silent or behind'
    description: 'A feed of sentinelone-source sends no health rows, is refused, or is more than 30 minutes behind: events of SentinelOne are missing in Sentinel.'
    enabled: true
    severity: 'Medium'
    query: loadTextContent('health-rule.kql')
    queryFrequency: 'PT15M'
    queryPeriod: 'P2D'
    triggerOperator: 'GreaterThan'
    triggerThreshold: 0
    suppressionEnabled: false
    suppressionDuration: 'PT5H'
    tactics: []
    eventGroupingSettings: {
      aggregationKind: 'SingleAlert'
    }
    customDetails: {
      Console: 'Console'
      Feed: 'Feed'
      Problem: 'Problem'
      LastError: 'LastError'
    }
    incidentConfiguration: {
      createIncident: true
      groupingConfiguration: {
        enabled: true
        reopenClosedIncident: false
        lookbackDuration: 'P1D'
        matchingMethod: 'AllEntities'
      }
    }
  }
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspace.id, 'sentinelone-source-workbook')
  location: location
  kind: 'shared'
  properties: {
    displayName: 'sentinelone-source'
    category: 'sentinel'
    sourceId: workspace.id
    serializedData: loadTextContent('workbook.json')
  }
}
